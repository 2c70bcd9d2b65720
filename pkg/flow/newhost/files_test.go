// SPDX-License-Identifier: Apache-2.0

package newhost

import (
	"os"
	"path/filepath"
	"testing"
)

func TestADirectoryOfPackagesIsComparedWithItsChecksums(t *testing.T) {
	const sum = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881  ./a.deb\n" // of "x"
	for name, c := range map[string]struct {
		files map[string]string
		good  bool
	}{
		"files that are named":         {map[string]string{"a.deb": "x", "SHA256SUMS": sum, "notes.txt": "y"}, true},
		"files without checksums":      {map[string]string{"a.deb": "x"}, true},
		"a file that is damaged":       {map[string]string{"a.deb": "y", "SHA256SUMS": sum}, false},
		"a file that is not named":     {map[string]string{"a.deb": "x", "b.rpm": "x", "SHA256SUMS": sum}, false},
		"a directory with no packages": {map[string]string{"notes.txt": "y"}, false},
	} {
		path := t.TempDir()
		for file, content := range c.files {
			if err := os.WriteFile(filepath.Join(path, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		dir, err := ReadPackageDir(path)
		if (err == nil) != c.good || c.good && (len(dir.Files) != 1 || dir.Files[0].Size != 1) {
			t.Errorf("%s: %+v, %v", name, dir, err)
		}
	}
}

func TestAHostGetsPackagesOfTheDirectoryAlone(t *testing.T) {
	dir := PackageDir{Path: t.TempDir()}
	if err := os.WriteFile(filepath.Join(dir.Path, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret", "../" + filepath.Base(dir.Path) + "/secret", "/etc/passwd", "", "..", "x/../a.deb", "gone.deb"} {
		if f, _, err := dir.Open(name); err == nil {
			t.Errorf("%q is handed out", name)
			_ = f.Close()
		}
	}
}
