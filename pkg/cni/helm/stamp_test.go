// SPDX-License-Identifier: Apache-2.0

package helm

import (
	"strings"
	"testing"
)

const rendered = `---
# Source: flannel/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: cfg
data:
  net: |
    NETWORK
---
# Source: flannel/templates/rbac.yaml
kind: ClusterRole # stays as it is
metadata: {name: flannel}
---
# Source: flannel/templates/daemonset.yaml
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: agents
spec:
  template:
    spec:
      volumes:
      - name: cfg
        configMap: {name: CONFIG}
`

func stamped(t *testing.T, network, config string) string {
	t.Helper()
	in := strings.NewReplacer("NETWORK", network, "CONFIG", config).Replace(rendered)
	out, err := stampConfig([]byte(in))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestStampChangesWithTheMountedConfiguration(t *testing.T) {
	one, again, other := stamped(t, "10.1.0.0/16", "cfg"), stamped(t, "10.1.0.0/16", "cfg"), stamped(t, "10.2.0.0/16", "cfg")
	if one != again {
		t.Error("the same configuration gives different stamps")
	}
	annotation := func(s string) string {
		_, rest, _ := strings.Cut(s, configAnnotation+": ")
		line, _, _ := strings.Cut(rest, "\n")
		return line
	}
	if annotation(one) == "" || annotation(one) == annotation(other) {
		t.Errorf("stamps %q and %q", annotation(one), annotation(other))
	}
	if !strings.Contains(one, "kind: ClusterRole # stays as it is\n") {
		t.Error("a document without need of a stamp was rewritten")
	}
}

func TestStampLeavesADaemonSetOfOthersConfigurationAlone(t *testing.T) {
	want := strings.NewReplacer("NETWORK", "x", "CONFIG", "other").Replace(rendered)
	if got := stamped(t, "x", "other"); got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestStampSaysWhatItCannotRead(t *testing.T) {
	if _, err := stampConfig([]byte("kind: [")); err == nil {
		t.Error("no error")
	}
}
