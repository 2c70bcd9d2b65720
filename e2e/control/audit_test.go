// SPDX-License-Identifier: Apache-2.0

//go:build e2e

package control

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
)

// entry is one request as the API server's audit log has it.
type entry struct {
	Verb       string `json:"verb"`
	UserAgent  string `json:"userAgent"`
	RequestURI string `json:"requestURI"`
	ObjectRef  struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// what is "create pods/eviction".
func (e entry) what() string {
	s := e.Verb + " " + e.ObjectRef.Resource
	if e.ObjectRef.Subresource != "" {
		s += "/" + e.ObjectRef.Subresource
	}
	return s
}

// mark is the place in the audit log at which it ends now.
func (p *plane) mark(t *testing.T) int64 {
	t.Helper()
	info, err := os.Stat(p.audit)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// requests are those that a program has made since a mark. Watches are counted
// when they end, as they do with the program.
func (p *plane) requests(t *testing.T, since int64, agent string) []entry {
	t.Helper()
	file, err := os.Open(p.audit)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if _, err := file.Seek(max(since-1, 0), io.SeekStart); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	// The server writes on: the mark may lie in a line, and the last one may
	// not be whole yet.
	if since > 0 {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	raw = raw[:bytes.LastIndexByte(raw, '\n')+1]
	var out []entry
	for line := range bytes.Lines(raw) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(e.UserAgent, agent) {
			out = append(out, e)
		}
	}
	return out
}

// tally counts requests by what they are, and refused evictions by namespace.
func tally(entries []entry) (counts, refused map[string]int) {
	counts, refused = map[string]int{}, map[string]int{}
	for _, e := range entries {
		counts[e.what()]++
		if e.what() == "create pods/eviction" && e.ResponseStatus.Code == 429 {
			refused[e.ObjectRef.Namespace]++
		}
	}
	return counts, refused
}

func TestTheAuditLogCountsWhatAProgramAsks(t *testing.T) {
	p := newPlane(t, 1)
	before := p.mark(t)
	if o := p.theirs(t, "get", "node", p.nodes[0]); o.code != 0 {
		t.Fatal(o.all())
	}
	counts, _ := tally(p.requests(t, before, "kubectl"))
	if counts["get nodes"] != 1 {
		t.Errorf("kubectl get node: %v", counts)
	}
}
