// SPDX-License-Identifier: Apache-2.0

package lint

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

// initial judges an InitConfiguration.
func (l *linter) initial(d value) {
	l.registration(d.get("nodeRegistration"))
	l.advertised(d.get("localAPIEndpoint").get("advertiseAddress"))
	l.secret(d.get("certificateKey"), "the key to the cluster's certificates")
	for _, t := range d.get("bootstrapTokens").items() {
		l.token(t.get("token"))
		if ttl := t.get("ttl"); ttl.text() == "0" || ttl.text() == "0s" {
			l.say(Secret, Warns, ttl, "the bootstrap token never expires: who reads it may join hosts for ever", "give it hours: ttl: 2h0m0s")
		}
	}
}

// join judges a JoinConfiguration.
func (l *linter) join(d value) {
	l.registration(d.get("nodeRegistration"))
	l.advertised(d.get("controlPlane").get("localAPIEndpoint").get("advertiseAddress"))
	l.secret(d.get("controlPlane").get("certificateKey"), "the key to the cluster's certificates")
	b, file := d.get("discovery").get("bootstrapToken"), d.get("discovery").get("file")
	l.token(b.get("token"))
	l.token(d.get("discovery").get("tlsBootstrapToken"))
	switch {
	case !b.there() && !file.there():
		l.say(Field, Blocks, d, "JoinConfiguration says nowhere how the cluster is found", "write discovery.bootstrapToken or discovery.file")
	case b.there() && file.there():
		l.say(Contradicted, Blocks, file, "discovery has both bootstrapToken and file", "leave one of them")
	case b.there() && b.get("unsafeSkipCAVerification").text() == "true":
		l.say(Foolish, Warns, b.get("unsafeSkipCAVerification"), "the host joins whatever answers at that address: who stands between gets "+
			"its pods",
			"write caCertHashes, which kubectl lifecycle join prints")
	case b.there() && len(b.get("caCertHashes").items()) == 0:
		l.say(Field, Blocks, b, "there are no caCertHashes", "write them: kubectl lifecycle join prints the command with them")
	}
	for _, pin := range b.get("caCertHashes").items() {
		if !regexp.MustCompile(`^sha256:[0-9a-f]{64}$`).MatchString(strings.ToLower(pin.text())) {
			l.say(Type, Blocks, pin, fmt.Sprintf("%q is not a pin: sha256: and 64 hexadecimal digits", short(pin.text())), "copy it whole")
		}
	}
	if v := b.get("apiServerEndpoint"); strings.Contains(v.text(), "://") {
		l.say(Endpoint, Blocks, v, "apiServerEndpoint is HOST:PORT, not a URL", "leave out https://")
	}
}

// registration judges what a node is registered with.
func (l *linter) registration(d value) {
	l.arguments("kubelet", d.get("kubeletExtraArgs"))
	if v := d.get("criSocket"); strings.HasPrefix(v.text(), "/") {
		l.say(Foolish, Warns, v, "criSocket has no scheme, which kubeadm only still takes", "write unix://"+short(v.text()))
	} else if strings.Contains(v.text(), "dockershim") {
		l.say(Foolish, Blocks, v, "dockershim is gone since 1.24", "use containerd: unix:///run/containerd/containerd.sock")
	}
	if v := d.get("name"); v.text() != "" && !regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`).MatchString(v.text()) {
		l.say(Type, Blocks, v, fmt.Sprintf("%q cannot be the name of a node", short(v.text())), "use lower case letters, digits, - and .")
	} else if v.text() == "node" {
		l.say(Placeholder, Blocks, v, "the name is \"node\", as kubeadm config print init-defaults writes it",
			"leave it out (the host's name), or name it")
	}
	if v := d.get("imagePullPolicy"); v.text() != "" && !slices.Contains([]string{"Always", "IfNotPresent", "Never"}, v.text()) {
		l.say(Type, Blocks, v, fmt.Sprintf("imagePullPolicy is %q", short(v.text())), "write Always, IfNotPresent or Never")
	}
	for _, v := range d.get("ignorePreflightErrors").items() {
		if strings.EqualFold(v.text(), "all") {
			l.say(Foolish, Warns, v, "all checks of kubeadm are ignored: it begins where it cannot end", "name those that are to be ignored")
		}
	}
}

// advertised judges the address of an API server.
func (l *linter) advertised(v value) {
	a, err := netip.ParseAddr(v.text())
	switch {
	case v.text() == "":
	case v.text() == "1.2.3.4":
		l.say(Placeholder, Blocks, v, "advertiseAddress is 1.2.3.4, as kubeadm config print init-defaults writes it",
			"write the host's address, or leave it out")
	case err != nil || a.IsLoopback():
		l.say(Type, Blocks, v, fmt.Sprintf("advertiseAddress %q is not an address that others reach", short(v.text())),
			"write the host's address, or leave it out")
	}
}

// token judges a bootstrap token. It is not shown.
func (l *linter) token(v value) {
	switch {
	case v.text() == "":
	case v.text() == "abcdef.0123456789abcdef":
		l.say(Placeholder, Blocks, v, "the bootstrap token is the one of kubeadm's documents, which everyone knows",
			"leave it out, or make one: kubeadm token generate")
	case !regexp.MustCompile(`^[a-z0-9]{6}\.[a-z0-9]{16}$`).MatchString(v.text()):
		l.say(Type, Blocks, v, "the bootstrap token has not the form of one: 6 characters, a dot, 16 characters",
			"make one: kubeadm token generate")
	default:
		l.secret(v, "a bootstrap token")
	}
}

func (l *linter) secret(v value, what string) {
	if v.text() != "" {
		l.say(Secret, Warns, v, "the file holds "+what, "keep the file from others, and delete it afterwards")
	}
}
