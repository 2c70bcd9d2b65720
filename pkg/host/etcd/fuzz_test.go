// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"header":{"cluster_id":"1","member_id":"2"},
		"members":[{"ID":"10276657743932975437","name":"a","peerURLs":["https://a:2380"]}]}`))
	f.Add([]byte(`{"message":"etcdserver: member not found"}`))
	f.Add([]byte(`{"members":[{"ID":"-1"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var answer struct {
			Header  header   `json:"header"`
			Members []Member `json:"members"`
		}
		if json.Unmarshal(raw, &answer) == nil {
			for _, m := range answer.Members {
				var again ID
				back, err := json.Marshal(m.ID)
				if err = errors.Join(err, json.Unmarshal(back, &again)); err != nil || again != m.ID {
					t.Errorf("%s is read as %s: %v", m.ID, again, err)
				}
			}
		}
		err := refusal("https://a", "/x", "500", raw)
		if len(err.Error()) > 3000 || strings.ContainsAny(err.Error(), "\x1b\n\x07") {
			t.Errorf("it says %q", err)
		}
	})
}

func FuzzID(f *testing.F) {
	f.Add("\"10276657743932975437\"")
	f.Add("99999999999999999999")
	f.Add(strings.Repeat("\"", 1000))
	f.Fuzz(func(t *testing.T, raw string) {
		var id ID
		if err := id.UnmarshalJSON([]byte(raw)); err != nil && len(err.Error()) > 500 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}

func FuzzSnapshotStream(f *testing.F) {
	f.Add([]byte(`{"result":{"blob":"AAAA","remaining_bytes":"0"}}` + "\n"))
	f.Add([]byte(`{"error":{"message":"stopped"}}`))
	f.Add([]byte("\n\n{"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var out bytes.Buffer
		err := pieces(bytes.NewReader(raw), &out)
		if out.Len() > len(raw) {
			t.Errorf("%d bytes of %d", out.Len(), len(raw))
		}
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\n") {
			t.Errorf("it says %q", err)
		}
		_ = VerifySnapshot(bytes.NewReader(out.Bytes()), int64(out.Len())) // it may be none, and may not panic
	})
}
