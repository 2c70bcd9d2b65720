// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/plan"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// ErrLocked says that another program uses the package manager.
var ErrLocked = errors.New("another program uses the package manager")

// ErrUnfinished says that an earlier installation was interrupted.
var ErrUnfinished = errors.New("an earlier installation was interrupted")

// ErrLacking says that a package, or one that it depends on, is nowhere to be had.
var ErrLacking = errors.New("a package is lacking")

// cause is what a package manager's words mean.
type cause struct {
	// words are what it says; any of them is enough.
	words []string
	what  string
	// is is an error that others act upon.
	is     error
	wayOut string
}

// causes are in the order in which they count: a message may hold several.
func causes() []cause {
	const clock = "is the host's clock right? Else the repository's owner renews it, or use another: --repo URL"
	return []cause{
		{[]string{"Could not get lock", "Unable to acquire the dpkg frontend lock", "is another process using it", "Unable to lock directory",
			"System management is locked", "Waiting for process with pid"}, "", ErrLocked,
			"wait until it has ended (unattended upgrades may take minutes), and run the command again"},
		{[]string{"dpkg was interrupted", "dpkg --configure -a"}, "", ErrUnfinished, "finish it on the host: dpkg --configure -a"},
		{[]string{"No space left on device", "You don't have enough free space", "File size limit exceeded", "Disk quota exceeded"},
			"the disk is full", nil, "make room on the host (/var/cache, /usr), and run the command again"},
		{[]string{"EXPKEYSIG", "KEYEXPIRED"}, "the key of the repository has expired", nil, clock},
		{[]string{"NO_PUBKEY", "BADSIG", "is not signed", "REVKEYSIG", "GPG check FAILED", "Signature verification failed"},
			"the repository is not signed by its key", nil, "do not use it as it is: ask its owner, or use another: --repo URL"},
		{[]string{"certificate chain uses expired certificate", "certificate has expired", "certificate is expired"},
			"the TLS certificate of the repository has expired", nil, clock},
		{[]string{"Certificate verification failed", "certificate is NOT trusted", "SSL certificate problem", "certificate verify failed"},
			"the TLS certificate of the repository is not trusted", nil,
			"let the host trust its authority (package ca-certificates, /usr/local/share/ca-certificates), or use another: --repo URL"},
		{[]string{"is not valid yet", "is expired (invalid since"}, "the repository's index does not hold", nil, clock},
		{[]string{"  404  ", "404 Not Found", "status code: 404", "404 Not found", " 404 "}, "the repository has no such directory (404)", nil,
			"each minor version has a repository of its own below --repo URL: does this one have it?"},
		{[]string{"  403  ", "403 Forbidden", "  401  ", "401 Unauthorized", "407 Proxy"},
			"the repository, or a proxy, asks for credentials", nil,
			"give the host its credentials (apt: /etc/apt/auth.conf.d), or use another: --repo URL"},
		{[]string{"Temporary failure resolving", "Could not resolve", "Name or service not known"},
			"the host cannot resolve the repository's name", nil,
			"mend its name servers, use a mirror that it reaches (--repo URL), or bring the packages from here: --from DIR"},
		{[]string{"Could not connect", "Unable to connect", "Connection failed", "Connection timed out", "Connection refused",
			"Network is unreachable", "Failed to fetch", "timed out", "Failed to connect", "no end within"},
			"the host cannot reach the repository", nil,
			"let it out to there, use a mirror that it reaches (--repo URL), or bring the packages from here: --from DIR"},
		{[]string{"Conflicting values set for option Signed-By"}, "the host has this repository already, with another key", nil,
			"install with it by hand, or take its file out of /etc/apt/sources.list.d first"},
		{[]string{"Held packages were changed"}, "packages are held on this host", nil, "a hold of yours is not lifted: see apt-mark showhold"},
		{[]string{"unmet dependencies", "Unable to locate package", "has no installation candidate", "is not installable",
			"Unable to correct problems", "Failed dependencies", "nothing provides", "No match for argument"}, "", ErrLacking,
			"bring what is named: from the distribution's repository, or as files beside the others (--from DIR)"},
	}
}

// Explain turns what a package manager said, and the error that it ended with, into a
// cause and a way out. What it said is data: a few lines of it are kept.
func Explain(doing, said string, err error) error {
	whole := said
	if err != nil {
		whole += "\n" + err.Error()
	}
	for _, c := range causes() {
		if !has(whole, c.words) {
			continue
		}
		if c.is != nil {
			return plan.Refuse(fmt.Errorf("%s: %w: %s", doing, c.is, telling(said, c.words)), "%s", c.wayOut)
		}
		return plan.Refuse(fmt.Errorf("%s: %s: %s", doing, c.what, telling(said, c.words)), "%s", c.wayOut)
	}
	if last := telling(said, []string{"E: ", "Error: ", "error: "}); last != "" {
		return fmt.Errorf("%s: %s", doing, last)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func has(said string, words []string) bool {
	for _, word := range words {
		if strings.Contains(said, word) {
			return true
		}
	}
	return false
}

// mostTelling is how many lines of an answer are shown.
const mostTelling = 4

// telling are the lines of an answer that say something: those with the words, or what
// depends on what.
func telling(said string, words []string) string {
	var all []string
	for line := range strings.Lines(said) {
		line = text.Line(strings.TrimSpace(line))
		if (has(line, words) || strings.Contains(line, " : Depends: ")) && len(all) < mostTelling {
			all = append(all, line)
		}
	}
	return strings.Join(all, "; ")
}

// Failed reports whether an update said that something of a repository could not be read:
// apt ends well then.
func Failed(said string) bool {
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "E: ") || strings.HasPrefix(line, "Err:") || strings.HasPrefix(line, "W: Failed to fetch") ||
			strings.HasPrefix(line, "W: GPG error") || strings.HasPrefix(line, "W: An error occurred") {
			return true
		}
	}
	return false
}
