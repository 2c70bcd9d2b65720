// SPDX-License-Identifier: Apache-2.0

package packages

import (
	"regexp"
	"slices"
	"strings"
	"time"
)

// Command is a program that is run on the host, and how long it may take.
type Command struct {
	Args  []string
	Limit time.Duration
}

// String is the command as one reads it.
func (c Command) String() string { return strings.Join(c.Args, " ") }

// quiet begins a command of Debian's: no questions, in English, with all that it says in
// one stream.
func quiet(limit time.Duration, args ...string) Command {
	return Command{Limit: limit, Args: append([]string{"env", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", "NEEDRESTART_SUSPEND=1",
		"sh", "-c", `exec "$@" 2>&1`, "sh"}, args...)}
}

const (
	// looks and changes are how long a command may take that reads, and one that changes.
	looks   = 3 * time.Minute
	changes = 15 * time.Minute
)

// Staged are apt's ways below a directory of this program's: a host's own lists, sources
// and archives are read at most.
type Staged struct {
	Dir string
	// Files says that packages come from files alone, and from no repository.
	Files bool
}

// ListFile and KeyFile are the repository and its key below the directory.
func (s Staged) ListFile() string { return s.Parts() + "/" + id + ".list" }

// KeyFile is the repository's key.
func (s Staged) KeyFile() string { return s.Dir + "/key.asc" }

// Parts is the directory of the lists of repositories: the host's and ours.
func (s Staged) Parts() string { return s.Dir + "/parts" }

// Lists is the directory of what repositories have.
func (s Staged) Lists() string { return s.Dir + "/lists" }

// Archives is where packages lie before they are installed.
func (s Staged) Archives() string { return s.Dir + "/cache/archives" }

// File is where a file of an order lies.
func (s Staged) File(name string) string { return s.Dir + "/files/" + name }

// options are apt's; with alone no repository but ours counts.
func (s Staged) options(alone bool) []string {
	all := []string{"-o", "Dir::State::Lists=" + s.Lists(), "-o", "Dir::Cache=" + s.Dir + "/cache",
		"-o", "APT::Get::List-Cleanup=0", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20", "-o", "Acquire::https::Timeout=20",
		"-o", "Acquire::Languages=none"}
	switch {
	case s.Files:
		return append(all, "-o", "Dir::Etc::SourceList=/dev/null", "-o", "Dir::Etc::SourceParts=/dev/null")
	case alone:
		return append(all, "-o", "Dir::Etc::SourceList="+s.ListFile(), "-o", "Dir::Etc::SourceParts=/dev/null")
	}
	return append(all, "-o", "Dir::Etc::SourceParts="+s.Parts())
}

// mostBlocks bounds a file that is fetched, in blocks of 512 bytes.
const mostBlocks = "4096"

// Fetch gets a file with apt's own means, so that its proxy and its certificates count.
func (s Staged) Fetch(url, to string) Command {
	c := quiet(looks, append(append([]string{"/usr/lib/apt/apt-helper"}, s.options(true)...), "download-file", url, to)...)
	c.Args[6] = "ulimit -f " + mostBlocks + "; " + c.Args[6]
	return c
}

// Update reads what repositories have: ours alone, or all.
func (s Staged) Update(alone bool) Command {
	return quiet(looks, append(append([]string{"apt-get"}, s.options(alone)...), "update")...)
}

// Offers asks which versions of packages there are, in our repository alone or in all.
func (s Staged) Offers(alone bool, names ...string) Command {
	return quiet(looks, append(append(append([]string{"apt-cache"}, s.options(alone)...), "madison", "--"), names...)...)
}

// get is an installation, with a word that says how, or none. What a person has configured stays, and
// nothing is removed.
func (s Staged) get(limit time.Duration, how string, targets []string) Command {
	args := append([]string{"apt-get"}, s.options(false)...)
	args = append(args, "-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold", "-o", "Dpkg::Use-Pty=0",
		"-o", "APT::Get::AutomaticRemove=0", "--yes", "--no-install-recommends", "--no-remove")
	if how != "" {
		args = append(args, how)
	}
	return quiet(limit, append(append(args, "install", "--"), targets...)...)
}

// Simulate says what Install would do: it is the same command but for one word, since apt
// refuses some that go together (2.6.1: --no-download and a file).
func (s Staged) Simulate(targets ...string) Command {
	c := s.Install(targets...)
	c.Limit = looks
	c.Args[slices.Index(c.Args, "--no-remove")] = "--simulate" // that it would is what is asked
	return c
}

// Download brings the packages of an installation to this directory.
func (s Staged) Download(targets ...string) Command {
	return s.get(changes, "--download-only", targets)
}

// Install installs what was brought, and asks no network for anything: where there are files
// alone, apt knows no repository.
func (s Staged) Install(targets ...string) Command {
	if s.Files {
		return s.get(changes, "", targets)
	}
	return s.get(changes, "--no-download", targets)
}

// Finish ends what an earlier installation was interrupted at.
func Finish() Command {
	return quiet(changes, "dpkg", "--force-confdef", "--force-confold", "--configure", "-a")
}

// Fields asks files for what is in them.
func Fields(path string) Command {
	return quiet(looks, "dpkg-deb", "--show", "--showformat", `${Architecture} ${Package} ${Version}\n`, path)
}

// Arch asks for the host's architecture.
func Arch() Command { return quiet(looks, "dpkg", "--print-architecture") }

// Held asks which packages are held; Hold and Release hold them, and no more.
func Held() Command { return quiet(looks, "apt-mark", "showhold") }

// Hold keeps packages as they are when all are upgraded.
func Hold(names ...string) Command {
	return quiet(looks, append([]string{"apt-mark", "hold", "--"}, names...)...)
}

// Release is the contrary of Hold.
func Release(names ...string) Command {
	return quiet(looks, append([]string{"apt-mark", "unhold", "--"}, names...)...)
}

// version and name are what is believed of an answer.
const (
	namePattern    = `[a-z0-9][a-z0-9+.-]{1,100}`
	versionPattern = `[0-9A-Za-z][0-9A-Za-z.+~:-]{0,100}`
)

// mostLines bounds how many lines of an answer are read.
const mostLines = 20_000

// matches are the parts of the lines of an answer that have a form.
func matches(said, form string) (all [][]string) {
	pattern, lines := regexp.MustCompile(form), 0
	for line := range strings.Lines(said) {
		if lines++; lines > mostLines {
			break
		}
		if found := pattern.FindStringSubmatch(strings.TrimRight(line, "\r\n")); found != nil {
			all = append(all, found)
		}
	}
	return all
}

// ReadOffers reads the answer to Offers, the newest of a package first.
func ReadOffers(said string) (all []Package) {
	for _, found := range matches(said, `^ *(`+namePattern+`) \| (`+versionPattern+`) \| .* Packages$`) {
		all = append(all, Package{found[1], found[2]})
	}
	return all
}

// ReadFields reads the answer to Fields.
func ReadFields(said string) (p Package, arch string, is bool) {
	for _, found := range matches(said, `^([a-z0-9-]+) (`+namePattern+`) (`+versionPattern+`)$`) {
		return Package{found[2], found[3]}, found[1], true
	}
	return p, "", false
}

// ReadNames reads an answer of a name a line.
func ReadNames(said string) (all []string) {
	for _, found := range matches(said, `^(`+namePattern+`)$`) {
		all = append(all, found[1])
	}
	return all
}

// Transaction is what a package manager would do.
type Transaction struct {
	// New are packages that come, Replaced those that are there in another version, with
	// that one; Removed go.
	New, Replaced []Package
	Removed       []string
}

// ReadTransaction reads the answer to Simulate or Purge.
func ReadTransaction(said string) (t Transaction) {
	const form = `^(Inst|Conf|Remv|Purg) (` + namePattern + `)(?::[a-z0-9]+)?(?: \[([^\]]*)\])?(?: \((` + versionPattern + `)[ )].*)?`
	for _, found := range matches(said, form) {
		p := Package{found[2], found[4]}
		known := func(q Package) bool { return q.Name == p.Name }
		switch verb, old := found[1], found[3]; {
		case verb == "Remv" || verb == "Purg":
			t.Removed = append(t.Removed, p.Name)
		case p.Version == "":
		case verb == "Inst" && old != "":
			t.Replaced = append(t.Replaced, Package{p.Name, old})
		case !contains(t.New, known) && !contains(t.Replaced, known): // Conf alone: it was unpacked before
			t.New = append(t.New, p)
		}
	}
	return t
}
