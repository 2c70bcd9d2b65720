// SPDX-License-Identifier: Apache-2.0

package joinscript

import (
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/prep"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

//go:embed join.sh
var template string

// Input is what the script is about. A script is for workers: that of a control plane
// would hold the key to the cluster's certificates, and user data is kept.
type Input struct {
	Cluster join.Cluster
	Token   bootstrap.Token
	Options join.CommandOptions
	Wanted  prep.Wanted
}

// Shell is the script. It is pure.
func Shell(in Input) (string, error) {
	if in.Options.CertificateKey != "" {
		return "", errors.New("a script holds no key to the cluster's certificates")
	}
	config, err := configuration(in)
	if err != nil {
		return "", err
	}
	var sysctls []string
	for _, s := range prep.SysctlsWanted(in.Wanted) {
		sysctls = append(sysctls, s.Key+" = "+s.Value)
	}
	minor := ""
	if found := regexp.MustCompile(`^v1\.(\d{1,3})\.`).FindStringSubmatch(in.Cluster.KubernetesVersion); found != nil {
		minor = found[1]
	}
	if !regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]{1,300}$`).MatchString(in.Cluster.Endpoint) {
		return "", errors.New("the endpoint of the cluster cannot be put into a script: it is no host and port")
	}
	return strings.NewReplacer(
		"@ENDPOINT@", word(in.Cluster.Endpoint),
		"@AUTHORITIES@", word(strings.Join(authorities(in.Cluster.CA), " ")),
		"@MINOR@", word(minor),
		"@SOCKET@", word(strings.TrimPrefix(in.Options.CRISocket, "unix://")),
		"@MODULES@", word(strings.Join(prep.ModulesWanted(in.Wanted), " ")),
		"@SWAP@", word(text.Choose(in.Wanted.SwapAllowed, "yes", "")),
		"@MODULES_FILE@", word(prep.ModulesFile),
		"@SYSCTL_FILE@", word(prep.SysctlFile),
		"@SYSCTLS@", strings.Join(sysctls, "\n"),
		"@CONFIG@", config,
	).Replace(template), nil
}

// authorities are the cluster's certificate authorities as the kubeconfig of a kubelet may
// have them, in base64: each alone and, while an authority is replaced, all together.
func authorities(bundle string) (all []string) {
	var blocks []byte
	for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
		one := pem.EncodeToMemory(block)
		blocks = append(blocks, one...)
		all = append(all, base64.StdEncoding.EncodeToString(one))
	}
	if len(all) > 1 {
		all = append(all, base64.StdEncoding.EncodeToString(blocks))
	}
	return all
}

// word is a text as one word of a shell, also an empty one.
func word(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// configuration is the end of a JoinConfiguration in one line; the API's version, which
// depends on the host's kubeadm, is put before it there.
func configuration(in Input) (string, error) {
	node := map[string]any{}
	if in.Options.NodeName != "" {
		node["name"] = in.Options.NodeName
	}
	if in.Options.CRISocket != "" {
		node["criSocket"] = "unix://" + strings.TrimPrefix(in.Options.CRISocket, "unix://")
	}
	if len(in.Options.IgnorePreflightErrors) > 0 {
		node["ignorePreflightErrors"] = in.Options.IgnorePreflightErrors
	}
	config := map[string]any{
		"kind": "JoinConfiguration", "nodeRegistration": node,
		"discovery": map[string]any{"bootstrapToken": map[string]any{
			"apiServerEndpoint": in.Cluster.Endpoint, "token": in.Token.Whole(), "caCertHashes": in.Cluster.Pins,
		}},
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("encode the configuration of the join: %w", err)
	}
	return strings.TrimPrefix(string(raw), "{"), nil
}

// scriptPath is where cloud-init puts the script; /run is gone with the next boot.
const scriptPath = "/run/kubectl-lifecycle-join.sh"

// CloudInit is user data of cloud-init that runs the script at the first boot.
func CloudInit(in Input) (string, error) {
	shell, err := Shell(in)
	if err != nil {
		return "", err
	}
	raw, err := yaml.Marshal(map[string]any{
		"write_files": []any{map[string]any{"path": scriptPath, "permissions": "0700", "owner": "root:root", "content": shell}},
		"runcmd":      []any{[]string{"sh", "-c", "sh " + scriptPath + "; code=$?; rm -f " + scriptPath + "; exit $code"}},
	})
	if err != nil {
		return "", fmt.Errorf("encode the user data: %w", err)
	}
	return "#cloud-config\n" + string(raw), nil
}
