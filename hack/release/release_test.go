// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tested are the platforms that are built here: this machine's, or all where
// RELEASE_PLATFORMS is "all", which takes minutes.
func tested(t *testing.T) []platform {
	t.Helper()
	names := runtime.GOOS + "/" + runtime.GOARCH
	if os.Getenv("RELEASE_PLATFORMS") == "all" {
		names = ""
	}
	chosen, err := choose(names)
	if err != nil {
		t.Skip(err)
	}
	return chosen
}

// releaseInto makes a release without the node program.
func releaseInto(t *testing.T, out, downloads string, of ...platform) {
	t.Helper()
	args := []string{"-bare", "-source", "../..", "-out", out, "-version", "v0.1.0-test.1", "-downloads", downloads}
	var names []string
	for _, p := range of {
		names = append(names, p.String())
	}
	if err := run(t.Context(), append(args, "-platforms", strings.Join(names, ","))); err != nil {
		t.Fatal(err)
	}
}

func TestTheSameCommitMakesTheSameBytes(t *testing.T) {
	here := platform{runtime.GOOS, runtime.GOARCH}
	first, second := t.TempDir(), t.TempDir()
	for _, out := range []string{first, second} {
		releaseInto(t, out, "https://example.com", here)
	}
	files := 0
	err := filepath.WalkDir(first, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(first, path)
		if err != nil || strings.Contains(name, ".git/") {
			return err // git's own files know the time; what they hold is compared below
		}
		files++
		if !bytes.Equal(contents(t, path), contents(t, filepath.Join(second, name))) {
			t.Errorf("%s differs", name)
		}
		return nil
	})
	if err != nil || files < 5 {
		t.Errorf("%d files, %v", files, err)
	}
	head := func(out string) string {
		raw, err := exec.CommandContext(t.Context(), "git", "-C", filepath.Join(out, "krew-index"), "rev-parse", "HEAD").Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if head(first) != head(second) {
		t.Error("the index has another commit")
	}
}

// krew is the real one: its rules for manifests are in it.
func krew(t *testing.T, env []string) func(args ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "krew")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "sigs.k8s.io/krew/cmd/krew").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = append(append(os.Environ(), "KREW_NO_UPGRADE_CHECK=1"), env...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("krew %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
}

// What a person does: add the index, install by name, run; and for every platform, krew
// takes the manifest, the archive and the hash, and finds the program in it.
func TestKrewInstallsWhatIsReleased(t *testing.T) {
	out := t.TempDir()
	server := httptest.NewServer(http.StripPrefix("/v0.1.0-test.1", http.FileServer(http.Dir(out))))
	defer server.Close()
	all := tested(t)
	releaseInto(t, out, server.URL, all...)

	home := t.TempDir()
	environment := []string{"KREW_ROOT=" + home, "KREW_DEFAULT_INDEX_URI=" + filepath.Join(out, "krew-index"), "HTTP_PROXY=", "http_proxy="}
	do := krew(t, environment)
	do("index", "add", "ours", filepath.Join(out, "krew-index"))
	do("install", "ours/lifecycle")
	said := runIt(t, filepath.Join(home, "bin", "kubectl-lifecycle"), "version")
	if said != "kubectl lifecycle v0.1.0-test.1\n" {
		t.Errorf("it says %q", said)
	}
	for _, p := range all {
		archive := filepath.Join(out, nameOf(p, map[bool]string{true: ".zip", false: ".tar.gz"}[p.os == "windows"]))
		root := t.TempDir()
		other := krew(t, append(environment, "KREW_ROOT="+root, "KREW_OS="+p.os, "KREW_ARCH="+p.arch))
		other("install", "--manifest", filepath.Join(out, "node-lifecycle.yaml"), "--archive", archive)
		// krew links without an ending unless it runs on Windows itself.
		link := filepath.Join(root, "bin", "kubectl-node_lifecycle")
		if _, err := os.Stat(link); err != nil && p.os != "windows" {
			t.Errorf("%s: %v", p, err)
		}
		if p.os == runtime.GOOS && p.arch == runtime.GOARCH {
			if said := runIt(t, link, "help", "drain"); !strings.Contains(said, "kubectl node-lifecycle drain") {
				t.Errorf("its help is\n%s", said)
			}
		}
	}
}

func runIt(t *testing.T, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+filepath.Join(t.TempDir(), "none"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
	return string(out)
}

// What krew's reviewers ask for beyond what krew checks: krew's developer guide, and the
// comments of its index's bot.
func TestTheManifestIsWhatReviewersAskFor(t *testing.T) {
	r := release{version: "v1.2.3", out: t.TempDir(), downloads: "https://example.com"}
	var archives []artifact
	for _, p := range platforms() {
		a := artifact{nameOf(p, ".tar.gz"), p}
		if err := os.WriteFile(filepath.Join(r.out, a.name), []byte(p.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		archives = append(archives, a)
	}
	m, err := r.manifest(centralName, archives)
	if err != nil {
		t.Fatal(err)
	}
	if len(short) > 50 || strings.Contains(strings.ToLower(short), "kubernetes") || strings.Contains(short, "plugin") ||
		strings.HasSuffix(short, ".") {
		t.Errorf("short description %q", short)
	}
	for line := range strings.Lines(m) {
		if len(line) > 81 && !strings.Contains(line, "uri:") && !strings.Contains(line, "sha256:") {
			t.Errorf("more than 80 columns: %q", line)
		}
	}
	for _, p := range platforms() {
		if !strings.Contains(m, "os: "+p.os+"\n          arch: "+p.arch+"\n") {
			t.Errorf("%s is missing", p)
		}
	}
	if strings.Count(m, "bin: kubectl-lifecycle.exe\n") != 2 ||
		!strings.Contains(m, "uri: https://example.com/v1.2.3/kubectl-lifecycle_darwin_arm64.tar.gz\n") {
		t.Error(m)
	}
}

// Archives hold ordinary files of root with the time of the commit, and the license.
func TestAnArchiveHoldsOrdinaryFilesAndTheLicense(t *testing.T) {
	r := release{source: "../..", out: t.TempDir()}
	if err := r.identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(t.TempDir(), "built")
	if err := os.WriteFile(built, []byte("program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range platforms() {
		a, err := r.writeArchive(p, built)
		if err != nil {
			t.Fatal(err)
		}
		names := namesIn(t, filepath.Join(r.out, a.name), r)
		if want := []string{"LICENSE", "README.md", binaryOf(p)}; !slices.Equal(names, want) {
			t.Errorf("%s has %q", a.name, names)
		}
	}
	if err := within(built, 6); err == nil {
		t.Error("a file over the budget is taken")
	}
}

func namesIn(t *testing.T, path string, r release) (names []string) {
	t.Helper()
	if strings.HasSuffix(path, ".zip") {
		archive, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = archive.Close() }() // it was read
		for _, f := range archive.File {
			names = append(names, f.Name)
			if !f.Mode().IsRegular() || !f.Modified.Equal(r.at) {
				t.Errorf("%s: %+v", path, f.FileHeader)
			}
		}
		return names
	}
	zipped, err := gzip.NewReader(bytes.NewReader(contents(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	archive := tar.NewReader(zipped)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, header.Name)
		executable := header.Mode == 0o755
		if header.Typeflag != tar.TypeReg || !header.ModTime.Equal(r.at) || header.Uid+header.Gid != 0 || header.Uname+header.Gname != "" ||
			executable != strings.HasPrefix(header.Name, plugin) {
			t.Errorf("%s: %+v", path, header)
		}
	}
}

func contents(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// A bill of materials names what the program was built of: a scanner finds a module by
// its address, and the program by its hash.
func TestTheBillNamesEveryModule(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := release{version: "v1.2.3", out: t.TempDir(), bare: true}
	p := platform{"linux", "amd64"}
	if err := r.writeMaterials(p, self); err != nil {
		t.Fatal(err)
	}
	var b bill
	if err := json.Unmarshal(contents(t, filepath.Join(r.out, nameOf(p, ".cdx.json"))), &b); err != nil {
		t.Fatal(err)
	}
	has := func(prefix string) bool {
		return slices.ContainsFunc(b.Components, func(c component) bool { return strings.HasPrefix(c.PURL, prefix) && c.Ref == c.PURL })
	}
	if !has("pkg:golang/github.com/goreleaser/nfpm/v2@v2.") || !has("pkg:golang/stdlib@1.") || b.Format != "CycloneDX" || b.Spec != "1.6" {
		t.Errorf("%+v", b)
	}
	sum, err := hashOf(self)
	if err != nil || b.Metadata.Component.Hashes[0].Content != sum || !strings.HasPrefix(b.Serial, "urn:uuid:") || len(b.Serial) != 45 {
		t.Errorf("%+v, serial %s, %v", b.Metadata, b.Serial, err)
	}
	if len(b.Dependencies) != 1 || len(b.Dependencies[0].On) != len(b.Components) {
		t.Errorf("%+v", b.Dependencies)
	}
}

func TestAVersionIsOneThatKrewCanCompare(t *testing.T) {
	for version, good := range map[string]bool{"v1.2.3": true, "v0.1.0-rc.1": true, "": true, "1.2.3": false, "v1.2": false, "v01.2.3": false,
		"v1.2.3\n": false} {
		r := release{source: "../..", version: version}
		if err := r.identify(t.Context()); (err == nil) != good {
			t.Errorf("%q: %v", version, err)
		}
	}
}
