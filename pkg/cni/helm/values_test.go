// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
)

func TestReadValuesLaysSetsOverFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte("flannel:\n  backend: host-gw\n  mtu: 1400\nnetpol:\n  enabled: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadValues([]string{file}, []string{"flannel.mtu=1450,netpol=null", "list={a,b}"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"flannel": map[string]any{"backend": "host-gw", "mtu": int64(1450)},
		"netpol":  nil, "list": []any{"a", "b"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadValuesRefusesWhatItCannotRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(file, []byte("a: [1"), 0o600); err != nil {
		t.Fatal(err)
	}
	for says, given := range map[string][2][]string{
		"no such file":               {{"/nowhere.yaml"}, nil},
		"read values " + file:        {{file}, nil},
		"read --set a[x]=1":          {nil, []string{"a[x]=1"}},
		"key \"alone\" has no value": {nil, []string{"alone"}},
	} {
		_, err := ReadValues(given[0], given[1])
		if err == nil || !strings.Contains(err.Error(), says) || plan.ClassOf(err) != plan.Misused {
			t.Errorf("%v, want %q", err, says)
		}
	}
}
