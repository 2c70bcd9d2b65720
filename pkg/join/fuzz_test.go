// SPDX-License-Identifier: Apache-2.0

package join

import (
	"encoding/base64"
	"encoding/pem"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
)

// FuzzClusterInfo: what is taken from cluster-info is an address with a port,
// and a pin for each authority; no text of it reaches a terminal as it is.
func FuzzClusterInfo(f *testing.F) {
	ca := string(caOf(f))
	for _, server := range []string{"https://api:6443", "https://[fd00::1]:6443", "https://a/b", "http://a", "https://\x1b[2J:1",
		"https://a:99999999999", "https:///", "https://u:p@h:1"} {
		f.Add(server, ca, "kind: ClusterConfiguration\ncontrolPlaneEndpoint: api:6443\n")
	}
	f.Add("https://a:1", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "kind: [")
	f.Add("https://a:1", ca, "kind: ClusterConfiguration\ncontrolPlaneEndpoint: \"\\u001b[2J\\n\"\nkubernetesVersion: 7\n")
	f.Fuzz(func(t *testing.T, server, cas, configuration string) {
		checkCluster(t, infoText(server, cas), configuration)
		checkCluster(t, server, configuration)
	})
}

func checkCluster(t *testing.T, kubeconfig, configuration string) {
	t.Helper()
	c, err := describeCluster(kubeconfig, configuration)
	if err != nil {
		return
	}
	host, port, err := net.SplitHostPort(c.Endpoint)
	if err != nil || host == "" {
		t.Errorf("the endpoint is %q", c.Endpoint)
	}
	if _, err := strconv.Atoi(port); err != nil {
		t.Errorf("the port of %q is no number", c.Endpoint)
	}
	if len(c.Pins) == 0 || strings.Count(c.CA, "BEGIN CERTIFICATE") != len(c.Pins) {
		t.Errorf("%d pins for %q", len(c.Pins), c.CA)
	}
	for _, w := range c.Warnings {
		for _, r := range w.Text + w.Hint {
			if !unicode.IsPrint(r) {
				t.Errorf("%q holds %U", w.Text, r)
			}
		}
		if len(w.Text) > 8<<10 {
			t.Errorf("a warning of %d bytes", len(w.Text))
		}
	}
	if strings.ContainsAny(Command(c, bootstrap.Placeholder(), CommandOptions{}), "\n\x1b") {
		t.Errorf("the command for %q", c.Endpoint)
	}
	for _, pin := range c.Pins {
		if len(pin) != len("sha256:")+64 {
			t.Errorf("the pin %q", pin)
		}
	}
}

// infoText is a kubeconfig as the fuzzer would write one.
func infoText(server, cas string) string {
	return "apiVersion: v1\nkind: Config\nclusters:\n- name: \"\"\n  cluster:\n    server: " + strconv.Quote(server) +
		"\n    certificate-authority-data: " + base64Of(cas) + "\n"
}

func FuzzAuthorities(f *testing.F) {
	f.Add("")
	f.Add(string(caOf(f)))
	f.Add(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})))
	f.Fuzz(func(t *testing.T, text string) {
		for _, ca := range authorities(text) {
			if ca == nil || !strings.HasPrefix(Pin(ca), "sha256:") {
				t.Error("an authority that is none")
			}
		}
	})
}

func caOf(f *testing.F) []byte {
	f.Helper()
	raw, err := os.ReadFile("testdata/ca-rsa.crt")
	if err != nil {
		f.Fatal(err)
	}
	return raw
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
