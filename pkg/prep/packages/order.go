// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Public is the project's own repository; each minor version has a directory in it
// (https://kubernetes.io/blog/2023/08/15/pkgs-k8s-io-introduction).
const Public = "https://pkgs.k8s.io/core:/stable:/"

// publicKey is the fingerprint of the key that signs it (isv:kubernetes of the openSUSE
// build service), the same for all of its directories.
const publicKey = "DE15B14486CD377B9E876E1A234654DA9A296436"

// The bounds of an order.
const (
	mostFiles  = 64
	mostOfFile = 1 << 30
	mostOfAll  = 2 << 30
)

// Order is what a host is asked to install.
type Order struct {
	// Version of Kubernetes is "v1.36.3", or "v1.36" for its newest patch.
	Version string `json:"version"`
	// Repo is the base of the repositories, below which each minor version has its own;
	// empty means Public. It does not count where there are Files.
	Repo string `json:"repo,omitempty"`
	// Fingerprints are those that the repository's keys may have.
	Fingerprints []string `json:"fingerprints,omitempty"`
	// Files are packages that the one who asks sends on request; no repository is used then.
	Files []File `json:"files,omitempty"`
}

// File is a package in a file.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Validate refuses an order that cannot be carried out, or that a shell, a list of
// repositories or a path would take for something else.
func (o Order) Validate() error {
	if !regexp.MustCompile(`^v1\.[0-9]{1,3}(\.[0-9]{1,3})?$`).MatchString(o.Version) {
		return fmt.Errorf("%q is no version that packages can be installed of; an example is v1.36.3, or v1.36 for its newest patch", o.Version)
	}
	for _, print := range o.Fingerprints {
		if len(clean(print)) != 40 || strings.Trim(clean(print), "0123456789ABCDEF") != "" {
			return fmt.Errorf("%q is no fingerprint of a key: it has 40 hexadecimal digits", print)
		}
	}
	if len(o.Files) > 0 {
		return o.validFiles()
	}
	return o.validRepo()
}

func (o Order) validRepo() error {
	if o.Repo == "" {
		return nil
	}
	u, err := url.Parse(o.Repo)
	switch {
	case len(o.Repo) > 512 || !regexp.MustCompile(`^[A-Za-z0-9.:/_~+%\[\]@-]+$`).MatchString(o.Repo):
		return fmt.Errorf("%q is no address of a repository", o.Repo)
	case err != nil:
		return fmt.Errorf("the address of the repository: %w", err)
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("%q is no address of a repository: it begins with https:// or http://", o.Repo)
	case u.User != nil || strings.Contains(o.Repo, "@"):
		return errors.New("the address of the repository holds credentials, which every user of the host could read: " +
			"put them into the package manager's own configuration (apt: /etc/apt/auth.conf.d)")
	case u.Scheme == "http" && len(o.Fingerprints) == 0:
		return errors.New("nothing protects a key that is fetched over http: name its fingerprint")
	}
	return nil
}

func (o Order) validFiles() error {
	if len(o.Files) > mostFiles {
		return fmt.Errorf("%d files are more than %d", len(o.Files), mostFiles)
	}
	var sum int64
	for i, f := range o.Files {
		sum += f.Size
		switch {
		case !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._:~%^-]{0,200}\.(deb|rpm)$`).MatchString(f.Name):
			return fmt.Errorf("%q is no name of a package's file", f.Name)
		case f.Size <= 0 || f.Size > mostOfFile || sum > mostOfAll:
			return fmt.Errorf("%s: a file has 1 GiB at most and is not empty, all of them 2 GiB", f.Name)
		case len(f.SHA256) != 64 || strings.Trim(f.SHA256, "0123456789abcdef") != "":
			return fmt.Errorf("%s has no checksum", f.Name)
		case slices.ContainsFunc(o.Files[:i], func(e File) bool { return e.Name == f.Name }):
			return fmt.Errorf("%s is named twice", f.Name)
		}
	}
	return nil
}

// minor is "v1.36".
func (o Order) minor() string {
	parts := strings.SplitN(o.Version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// patch is the version without "v".
func (o Order) patch() string { return strings.TrimPrefix(o.Version, "v") }

// base is the repository's address, with a slash at its end.
func (o Order) base() string {
	base := o.Repo
	if base == "" {
		base = Public
	}
	return strings.TrimSuffix(base, "/") + "/"
}

// Pins are the fingerprints that the repository's keys may have; none if the first key that
// is seen is taken.
func (o Order) Pins() (all []string) {
	for _, print := range o.Fingerprints {
		all = append(all, clean(print))
	}
	if u, err := url.Parse(o.base()); err == nil && len(all) == 0 && u.Host == "pkgs.k8s.io" {
		return []string{publicKey}
	}
	return all
}

// clean is a fingerprint without what people write between its digits.
func clean(print string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", ":", "", "\u00a0", "").Replace(strings.TrimPrefix(print, "0x")))
}

// numbers are the parts of "1.36.3".
func numbers(version string) (all []int) {
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		all = append(all, n)
	}
	return all
}
