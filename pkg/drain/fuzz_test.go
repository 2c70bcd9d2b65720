// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FuzzNotes: the notes that stand on a Node are read or are none. A note is written
// again as what it was read as.
func FuzzNotes(f *testing.F) {
	f.Add(`{"by":"ann@laptop","at":"2026-09-01T12:00:00Z","reason":"new disks"}`)
	f.Add(`{"at":"9999-12-31T23:59:59Z","by":"\u001b[2J"}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, note string) {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{NoteAnnotation: note}}}
		if n, ok := NoteOf(node); ok {
			if text := n.String(); !strings.HasPrefix(text, "by ") || len(text) > 100+2*len(note)+3*len(n.By)+3*len(n.Reason) {
				t.Errorf("got %q", text)
			}
		} else if n.By != "" || n.Reason != "" {
			t.Errorf("a note that is none says %+v", n)
		}
	})
}
