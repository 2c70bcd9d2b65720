// SPDX-License-Identifier: Apache-2.0

package secrecy

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// recognised reports whether a file is of a form whose secrets one can tell: what kubeadm
// writes by its name; certificates, requests and public keys; objects of Kubernetes' of kinds
// that configure something; a network's configuration, and registries' credentials.
func recognised(path string, content, text []byte) bool {
	if certificates(content) {
		return true
	}
	if !utf8.Valid(text) || bytes.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) {
		return false // an archive, a database, a store of keys
	}
	if kubeconfig(text) && says(text, "exec|auth-provider") {
		return false // a program's arguments may be credentials
	}
	return kubeadms(path) || object(text) || network(text)
}

// kubeconfig reports whether a text is a kubeconfig.
func kubeconfig(text []byte) bool {
	return regexp.MustCompile(`(?m)^[\s{"',]*(?:kind["']?[ \t]*:[ \t]*["']?Config\b|(?:.*[{,]\s*)?["']?users["']?[ \t]*:)`).Match(text)
}

// kubeadms reports whether kubeadm writes a file of that name (cmd/kubeadm/app/constants,
// 1.36); its certificates and keys are told by their content.
func kubeadms(path string) bool {
	dir, name := filepath.Split(path)
	switch filepath.Clean(dir) {
	case inventory.KubernetesDir:
		return slices.Contains([]string{"kubelet.conf", "bootstrap-kubelet.conf", "admin.conf", "super-admin.conf", "controller-manager.conf",
			"scheduler.conf"}, name)
	case inventory.ManifestsDir:
		return slices.Contains([]string{"kube-apiserver.yaml", "kube-controller-manager.yaml", "kube-scheduler.yaml", "etcd.yaml"}, name)
	}
	return slices.Contains([]string{"config.yaml", "instance-config.yaml", "kubeadm-flags.env"}, name) &&
		!strings.HasPrefix(path, inventory.KubernetesDir+"/") && !strings.HasPrefix(path, inventory.CNIConfDir+"/")
}

// certificates reports whether a file is nothing but certificates, requests for them, lists of
// revoked ones, or public keys, in PEM or DER. Between those in PEM there may be comments, and
// what OpenSSL says about them.
func certificates(content []byte) bool {
	if _, err := x509.ParseCertificates(content); err == nil && len(content) > 0 {
		return true
	}
	if _, err := x509.ParsePKIXPublicKey(content); err == nil {
		return true
	}
	public := []string{"CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE", "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST", "X509 CRL",
		"PUBLIC KEY", "RSA PUBLIC KEY"}
	comment := regexp.MustCompile(`^(#|subject|issuer|Certificate:|\s|$)`)
	found, inside := false, ""
	for line := range strings.Lines(string(content)) {
		line = strings.TrimRight(line, " \t\r\n")
		begins, is := strings.CutPrefix(line, "-----BEGIN ")
		begins, whole := strings.CutSuffix(begins, "-----")
		switch {
		case inside != "" && line == "-----END "+inside+"-----":
			found, inside = true, ""
		case inside != "" && !regexp.MustCompile(`^[A-Za-z0-9+/=]*$`).MatchString(line):
			return false
		case inside != "":
		case is && whole && slices.Contains(public, begins):
			inside = begins
		case !comment.MatchString(line):
			return false
		}
	}
	return found && inside == ""
}

// object reports whether a text is objects of Kubernetes' and nothing else, all of kinds that
// configure something: no Secret, no ConfigMap.
func object(text []byte) bool {
	const configurations = `Pod|Config|Policy|(Kubelet|KubeProxy|KubeScheduler|Cluster|Init|Join|Upgrade|Reset|Admission|Authentication|` +
		`Authorization|PodSecurity|PodNodeSelector|Tracing|EgressSelector|Encryption|WebhookAdmission|Resource)?Configuration|` +
		`CredentialProviderConfig|ClusterStatus`
	kind := regexp.MustCompile(`^(?:` + configurations + `)$`)
	var one struct{ Kind string }
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return json.Unmarshal(text, &one) == nil && kind.MatchString(one.Kind)
	}
	text = regexp.MustCompile(`(?m)^[ \t]*#.*$`).ReplaceAll(text, nil)
	objects := 0
	// What follows the mark in its line is of the document; a comment was there alone.
	text = regexp.MustCompile(`(?m)^(---|\.\.\.)[ \t]+#.*$`).ReplaceAll(text, []byte("$1"))
	for _, document := range regexp.MustCompile(`(?m)^(?:---|\.\.\.)(?:[ \t]+|\r?$)`).Split(string(text), -1) {
		if strings.TrimSpace(document) == "" {
			continue
		}
		said := regexp.MustCompile(`(?m)^kind:[ \t]*["']?(\w+)["']?[ \t]*(?:#.*)?\r?$`).FindAllStringSubmatch(document, -1)
		if objects++; len(said) != 1 || !kind.MatchString(said[0][1]) {
			return false
		}
	}
	return objects > 0
}

// network reports whether a text is a configuration of CNI, or of registries' credentials as
// Docker writes it.
func network(text []byte) bool {
	var one struct {
		Name, Type     string
		Plugins, Auths json.RawMessage
	}
	return json.Unmarshal(text, &one) == nil && (one.Name != "" && (one.Type != "" || one.Plugins != nil) || one.Auths != nil)
}
