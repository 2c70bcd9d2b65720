// SPDX-License-Identifier: Apache-2.0

package mirror

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// Map says for registries which one is asked instead. The zero Map leaves all as it
// is.
type Map struct {
	rules []rule
}

// rule sends what is named with one registry to another, or below a path of it.
type rule struct {
	from string // a host, or "*" for all that have no rule of their own
	to   string // HOST, HOST:PORT, or either with a path behind
}

// all stands for every registry.
const all = "*"

// dockerHub is the registry of names without one.
const dockerHub = "docker.io"

// Parse reads rules of the form quay.io=HOST, quay.io=HOST/PREFIX or *=HOST, several
// in one word divided by commas. An error is of class Misused.
func Parse(words []string) (Map, error) {
	var m Map
	for _, word := range words {
		for _, one := range strings.Split(word, ",") {
			if one = strings.TrimSpace(one); one == "" {
				continue
			}
			r, err := parse(one)
			if err != nil {
				return Map{}, plan.As(plan.Misused, plan.Hint(err, "REGISTRY=HOST or REGISTRY=HOST/PREFIX: quay.io=mirror.example.com/quay.io; "+
					"*=HOST for all others"))
			}
			if slices.ContainsFunc(m.rules, func(other rule) bool { return other.from == r.from }) {
				return Map{}, plan.As(plan.Misused, plan.Hint(fmt.Errorf("two mirrors for %s", text.Quote(r.from)), "give one"))
			}
			m.rules = append(m.rules, r)
		}
	}
	return m, nil
}

func parse(one string) (rule, error) {
	from, to, ok := strings.Cut(one, "=")
	if !ok {
		return rule{}, fmt.Errorf("mirror %s has no =", text.Quote(one))
	}
	if scheme, rest, has := strings.Cut(to, "://"); has {
		return rule{}, fmt.Errorf("mirror %s: leave %s:// out: %s", text.Quote(one), text.Line(scheme), text.Quote(rest))
	}
	to = strings.TrimSuffix(to, "/")
	host, path, _ := strings.Cut(to, "/")
	part := regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$`)
	switch {
	case from != all && !hostPattern().MatchString(from):
		return rule{}, fmt.Errorf("mirror %s: %s is not a registry", text.Quote(one), text.Quote(from))
	case !hostPattern().MatchString(host) || !isHost(host):
		return rule{}, fmt.Errorf("mirror %s: %s is not a registry host (it needs a dot or a port, or must be localhost)",
			text.Quote(one), text.Quote(host))
	}
	for _, p := range strings.Split(path, "/") {
		if path != "" && !part.MatchString(p) {
			return rule{}, fmt.Errorf("mirror %s: %s is not a path of a registry", text.Quote(one), text.Quote(path))
		}
	}
	if from == "index.docker.io" || from == "registry-1.docker.io" {
		from = dockerHub
	}
	return rule{from, to}, nil
}

func hostPattern() *regexp.Regexp {
	return regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
}

// isHost tells a registry from the first part of a path, as Docker does.
func isHost(word string) bool { return strings.ContainsAny(word, ".:[") || word == "localhost" }

// Empty says that nothing is sent elsewhere.
func (m Map) Empty() bool { return len(m.rules) == 0 }

// String lists the rules as Parse reads them.
func (m Map) String() string {
	var words []string
	for _, r := range m.rules {
		words = append(words, r.from+"="+r.to)
	}
	return strings.Join(words, ",")
}

// Image is an image's reference, or the beginning of one, through the mirror. What
// is named with a mirror already, and what no rule is for, stays as it is.
func (m Map) Image(ref string) string {
	host, path := Split(ref)
	to, ok := m.target(host)
	if !ok {
		return ref
	}
	return strings.TrimSuffix(to+"/"+path, "/")
}

// Outside says that an image does not come through a mirror.
func (m Map) Outside(ref string) bool {
	host, path := Split(ref)
	return !slices.ContainsFunc(m.rules, func(r rule) bool {
		toHost, prefix, _ := strings.Cut(r.to, "/")
		return toHost == host && (prefix == "" || path == prefix || strings.HasPrefix(path, prefix+"/"))
	})
}

// Chart is an oci:// reference through the mirror; anything else stays as it is.
func (m Map) Chart(ref string) string {
	rest, oci := strings.CutPrefix(ref, "oci://")
	if !oci || m.Empty() {
		return ref
	}
	return "oci://" + m.Image(rest)
}

func (m Map) target(host string) (string, bool) {
	every := ""
	for _, r := range m.rules {
		if to, _, _ := strings.Cut(r.to, "/"); to == host {
			return "", false
		}
	}
	for _, r := range m.rules {
		if r.from == host {
			return r.to, true
		}
		if r.from == all {
			every = r.to
		}
	}
	return every, every != ""
}

// Split divides an image's reference into its registry and the rest, as Docker and
// containerd read it: "antrea/x" is docker.io/antrea/x, "busybox" is
// docker.io/library/busybox.
func Split(ref string) (host, path string) {
	host, path, ok := strings.Cut(ref, "/")
	switch {
	case ok && isHost(host):
		if host == "index.docker.io" || host == "registry-1.docker.io" {
			host = dockerHub
		}
		return host, path
	case ok:
		return dockerHub, ref
	case strings.Contains(host, ".") && !strings.Contains(host, ":"):
		return host, "" // a registry alone, as some charts want it
	}
	return dockerHub, "library/" + ref
}
