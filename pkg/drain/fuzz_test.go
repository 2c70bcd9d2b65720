// SPDX-License-Identifier: Apache-2.0

package drain

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// FuzzReleasesOf: what labels and annotations claim makes no more releases than
// there are tools, and none without a name; what it says of a release is made of
// what was there.
func FuzzReleasesOf(f *testing.F) {
	f.Add("app:apps/Deployment:shop/web", "argocd_web", "web")
	f.Add("_:_", "_", "")
	f.Add(":", "a_", "\x1b[2J")
	f.Fuzz(func(t *testing.T, tracking, instance, name string) {
		labels := map[string]string{argoInstance: instance, helmManaged: "Helm", fluxHelmPrefix + "name": name, fluxKustomizeRoot + "name": name}
		notes := map[string]string{argoTracking: tracking, helmName: name, helmNamespace: instance}
		app := argoOf(labels, notes)
		if len(app.Name)+len(app.Namespace) > len(tracking)+len(instance) {
			t.Errorf("made up: %+v", app)
		}
		all := releasesOf(&metav1.ObjectMeta{Labels: labels, Annotations: notes})
		if len(all) > 5 {
			t.Errorf("%d releases", len(all))
		}
		for _, r := range all {
			if r.Name == "" || r.Tool == "" {
				t.Errorf("a release without a name: %+v", r)
			}
		}
	})
}

// FuzzNotes: the notes that stand on a Node are read or are none. A note is written
// again as what it was read as.
func FuzzNotes(f *testing.F) {
	f.Add(`{"by":"ann@laptop","at":"2026-09-01T12:00:00Z","reason":"new disks"}`)
	f.Add(`{"at":"9999-12-31T23:59:59Z","by":"\u001b[2J"}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, note string) {
		node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{NoteAnnotation: note}}}
		if n, ok := noteOf(node); ok {
			if text := n.String(); !strings.HasPrefix(text, "by ") || len(text) > 100+2*len(note)+3*len(n.By)+3*len(n.Reason) {
				t.Errorf("got %q", text)
			}
		} else if n.By != "" || n.Reason != "" {
			t.Errorf("a note that is none says %+v", n)
		}
	})
}

// FuzzJournals: the journals that stand on a Deployment are read or are none.
func FuzzJournals(f *testing.F) {
	f.Add(`{"mode":"auto","from":1,"to":2,"nodes":["w1"]}`)
	f.Add(`{"by":"ann@laptop","at":"9999-12-31T23:59:59Z"}`)
	f.Add(`[`)
	f.Fuzz(func(t *testing.T, note string) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{Surged: note}}}
		if j, ok := journalOf(d); ok && len(j.Nodes) > len(note) {
			t.Errorf("%d nodes of %d bytes", len(j.Nodes), len(note))
		}
	})
}
