// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
)

// bill is a bill of materials in CycloneDX's form, version 1.6: what is in a program is
// what Go has written into it, as "go version -m" shows it.
type bill struct {
	Format       string      `json:"bomFormat"`
	Spec         string      `json:"specVersion"`
	Serial       string      `json:"serialNumber"`
	Version      int         `json:"version"`
	Metadata     metadata    `json:"metadata"`
	Components   []component `json:"components"`
	Dependencies []depends   `json:"dependencies"`
}

type metadata struct {
	Timestamp string    `json:"timestamp"`
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl,omitempty"`
	Hashes  []hash `json:"hashes,omitempty"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type depends struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// writeMaterials makes the bill of one platform's plugin, and of the node programs in it.
func (r *release) writeMaterials(p platform, built string) error {
	sum, err := hashOf(built)
	if err != nil {
		return err
	}
	b := bill{
		Format: "CycloneDX", Spec: "1.6", Serial: serialOf(sum), Version: 1,
		Metadata: metadata{Timestamp: r.at.Format("2006-01-02T15:04:05Z"), Component: r.program(plugin+" "+p.String(), sum)},
	}
	if err := b.take(built, b.Metadata.Component.Ref); err != nil {
		return err
	}
	if !r.bare {
		for _, arch := range []string{"amd64", "arm64"} {
			path := filepath.Join(r.source, "bin", "lifecycle-node-linux-"+arch)
			sum, err := hashOf(path)
			if err != nil {
				return err
			}
			inside := r.program("lifecycle-node linux/"+arch, sum)
			b.Components = append(b.Components, inside)
			if err := b.take(path, inside.Ref); err != nil {
				return err
			}
			b.Dependencies[0].On = append(b.Dependencies[0].On, inside.Ref)
		}
	}
	b.sort()
	return r.create(nameOf(p, ".cdx.json"), func(f *os.File) error {
		enc := json.NewEncoder(f)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(b)
	})
}

// program is a component that this release has built.
func (r *release) program(name, sum string) component {
	return component{Type: "application", Ref: name, Name: name, Version: r.version, Hashes: []hash{{"SHA-256", sum}}}
}

// take adds what a program was built of.
func (b *bill) take(path, ref string) error {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return err
	}
	of := depends{Ref: ref}
	std := component{Type: "library", Name: "stdlib", Version: info.GoVersion,
		PURL: "pkg:golang/stdlib@" + strings.TrimPrefix(info.GoVersion, "go")}
	std.Ref = std.PURL
	found := []component{std}
	for _, m := range info.Deps {
		found = append(found, moduleOf(m))
	}
	for _, c := range found {
		of.On = append(of.On, c.Ref)
		if !slices.ContainsFunc(b.Components, func(known component) bool { return known.Ref == c.Ref }) {
			b.Components = append(b.Components, c)
		}
	}
	b.Dependencies = append(b.Dependencies, of)
	return nil
}

// moduleOf is a module, or what replaces it.
func moduleOf(m *debug.Module) component {
	if m.Replace != nil {
		m = m.Replace
	}
	purl := fmt.Sprintf("pkg:golang/%s@%s", m.Path, m.Version)
	return component{Type: "library", Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
}

func (b *bill) sort() {
	slices.SortFunc(b.Components, func(x, y component) int { return strings.Compare(x.Ref, y.Ref) })
	for _, d := range b.Dependencies {
		slices.Sort(d.On)
	}
	slices.SortFunc(b.Dependencies, func(x, y depends) int { return strings.Compare(x.Ref, y.Ref) })
}

// serialOf makes the number that a bill must have of what it is about, so that the same
// program has the same: a UUID of version 8 (RFC 9562, 5.8).
func serialOf(sum string) string {
	id := sha256.Sum256([]byte("CycloneDX " + sum))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	h := hex.EncodeToString(id[:16])
	return fmt.Sprintf("urn:uuid:%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
