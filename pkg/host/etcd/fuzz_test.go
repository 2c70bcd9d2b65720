// SPDX-License-Identifier: Apache-2.0

package etcd

import (
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
