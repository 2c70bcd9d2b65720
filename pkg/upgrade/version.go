// SPDX-License-Identifier: Apache-2.0

package upgrade

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Version is one of Kubernetes, or of etcd: v1.36.3, v1.37.0-rc.1. What follows a plus sign
// is the builder's, and does not count.
type Version struct {
	Major, Minor, Patch int
	// Pre is what follows a minus sign; empty for a release.
	Pre string
}

// Parse reads a version, with or without the letter v.
func Parse(s string) (Version, error) {
	const release, pre, builder = `^v?(\d{1,4})\.(\d{1,4})\.(\d{1,5})`, `(?:-([0-9A-Za-z.-]{1,40}))?`, `(?:\+[0-9A-Za-z.-]{1,60})?$`
	parts := regexp.MustCompile(release + pre + builder).FindStringSubmatch(s)
	if parts == nil {
		return Version{}, fmt.Errorf("%q is no version such as v1.36.3", s[:min(len(s), 60)])
	}
	var numbers [3]int
	for i := range numbers {
		numbers[i], _ = strconv.Atoi(parts[i+1]) // four or five digits
	}
	return Version{Major: numbers[0], Minor: numbers[1], Patch: numbers[2], Pre: parts[4]}, nil
}

// String is the version as Kubernetes writes it.
func (v Version) String() string {
	s := fmt.Sprintf("v%d.%d.%d", v.Major, v.Minor, v.Patch)
	if v.Pre != "" {
		s += "-" + v.Pre
	}
	return s
}

// Zero reports whether nothing is known.
func (v Version) Zero() bool { return v == Version{} }

// Compare is negative if v is older than w. A release is newer than what came before it.
func (v Version) Compare(w Version) int {
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor), cmp.Compare(v.Patch, w.Patch), comparePre(v.Pre, w.Pre))
}

// comparePre orders alpha.1, beta.0, rc.1 and a release, numbers by their value
// (semver.org, 11).
func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		m, err1 := strconv.Atoi(x[i])
		n, err2 := strconv.Atoi(y[i])
		d := strings.Compare(x[i], y[i])
		if err1 == nil && err2 == nil {
			d = cmp.Compare(m, n)
		}
		if d != 0 {
			return d
		}
	}
	return cmp.Compare(len(x), len(y))
}

// MinorsTo is how many minors w is ahead; negative if it is behind.
func (v Version) MinorsTo(w Version) int { return (w.Major-v.Major)*1000 + w.Minor - v.Minor }

// Next is the first release of the next minor.
func (v Version) Next() Version { return Version{Major: v.Major, Minor: v.Minor + 1} }

// Line is the minor alone: 1.36.
func (v Version) Line() string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }

// TagVersion is the version in the tag of an image, with what kubeadm's builds of etcd add to
// it ("3.6.8-0"), whatever registry, port or digest the name has; false if it names none.
func TagVersion(image string) (Version, bool) {
	name, _, _ := strings.Cut(image, "@")
	at := strings.LastIndexByte(name, ':')
	if at < 0 || strings.ContainsRune(name[at:], '/') {
		return Version{}, false
	}
	v, err := Parse(strings.ReplaceAll(name[at+1:], "_", "+"))
	if _, numeric := strconv.Atoi(v.Pre); numeric == nil { // a build, not what comes before a release
		v.Pre = ""
	}
	return v, err == nil
}
