// SPDX-License-Identifier: Apache-2.0

// Package hack_test holds what a machine checks about this repository as a
// whole: which package may import which, and that the README is true.
package hack_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/kubectl-lifecycle/kubectl-lifecycle/"

// pkg is one package as "go list" describes it.
type pkg struct {
	ImportPath string
	// Standard says that it belongs to Go.
	Standard bool
	// Imports are its own, TestImports and XTestImports its tests', Deps
	// everything that it is linked with.
	Imports, TestImports, XTestImports, Deps []string
}

// rule says what the packages below some folders may not import. Folders and
// forbidden packages stand for everything below them.
type rule struct {
	why      string
	from     []string
	except   []string
	forbid   []string
	but      []string // of these, what they may
	exactly  []string // packages of this module, without what is below them
	indirect bool     // whatever they are linked with, too
	tests    bool     // their tests, too
}

// domains are the packages that meet in pkg/flow only.
func domains() []string {
	return []string{"pkg/drain", "pkg/join", "pkg/cni", "pkg/runner"}
}

// rules is the section "Tree" of docs/design.md.
func rules() []rule {
	domains, nodeSide := domains(), []string{"pkg/host", "pkg/clean", "pkg/prep", "pkg/certs", "cmd/lifecycle-node", "pkg/runner/wire"}
	below := append([]string{"pkg/plan", "pkg/kube"}, nodeSide...)
	all := []rule{{
		why: "nothing imports a program", from: []string{"cmd"}, exactly: []string{"cmd/kubectl-lifecycle",
			"cmd/lifecycle-node"}, tests: true, indirect: true,
	}, {
		why: "nothing imports a room of a program", from: []string{"pkg"}, forbid: []string{module + "cmd"}, tests: true, indirect: true,
	}, {
		why: "nothing imports a room of another program", from: []string{"cmd/lifecycle-node"}, forbid: inModule("cmd/kubectl-lifecycle"),
		tests: true, indirect: true,
	}, {
		why: "nothing imports a room of another program", from: []string{"cmd/kubectl-lifecycle"}, forbid: inModule("cmd/lifecycle-node"),
		tests: true, indirect: true,
	}, {
		why: "the node side works when the API server is dead, and stays small", from: nodeSide, indirect: true,
		forbid: []string{"k8s.io/client-go", "k8s.io/api", "k8s.io/apimachinery", "k8s.io/cli-runtime", "k8s.io/kubectl", "helm.sh"},
	}, {
		why: "the node side knows no cluster's objects", from: append([]string{"pkg/plan", "pkg/text"},
			nodeSide...), forbid: inModule("pkg/kube"), tests: true, indirect: true,
	}, {
		why: "imports point downwards only", from: append(below, domains...), forbid: []string{module + "pkg/flow"}, tests: true, indirect: true,
	}, {
		why: "imports point downwards only", from: below, forbid: inModule(domains...), tests: true, indirect: true,
	}, {
		why: "a machine does not know what is to be done with it", from: []string{"pkg/host"}, forbid: inModule("pkg/clean",
			"pkg/prep"), tests: true, indirect: true,
	}, {
		why: "Helm sits behind one interface", from: []string{"cmd", "pkg", "e2e"}, except: []string{"pkg/cni/helm"},
		forbid: []string{"helm.sh"}, tests: true,
	}, {
		why: "only the plugin knows a command line", from: []string{"cmd", "pkg"}, except: []string{"cmd/kubectl-lifecycle"},
		forbid: []string{"github.com/spf13", "k8s.io/cli-runtime"}, tests: true,
	}}
	all = append(all, cleanRules()...)
	for _, one := range domains {
		others := slices.DeleteFunc(slices.Clone(domains), func(d string) bool { return d == one })
		all = append(all, downwards(one)...)
		all = append(all, rule{
			why: "domains meet in pkg/flow only", from: []string{one}, except: []string{"pkg/runner/wire"}, forbid: inModule(others...),
			tests: true, indirect: true,
		})
	}
	return slices.Concat(all, roomRules(), downwards("pkg/flow"), downwards("cmd/lifecycle-node"),
		downwards("cmd/kubectl-lifecycle"), fixtureRules())
}

// roomRules are those within pkg/drain and pkg/kube.
func roomRules() []rule {
	actors := []string{"pkg/drain/evict", "pkg/drain/detach", "pkg/drain/surge", "pkg/drain/forecast"}
	kubeRooms := []string{"pkg/kube/scheduling", "pkg/kube/bulklist", "pkg/kube/managedby"}
	fixtures := []string{"pkg/kube/kubetest", "pkg/drain/draintest"}
	all := []rule{{
		why: "a drain's contract knows no way of carrying it out", from: []string{"pkg/drain"}, except: append(fixtures, actors...),
		forbid: inModule(actors...), tests: true, indirect: true,
	}, {
		why: "budgets know nothing of drains", from: []string{"pkg/drain/pdb"}, forbid: inModule("pkg/drain"), tests: true, indirect: true,
	}, {
		why: "it is pure", from: []string{"pkg/drain/pdb", "pkg/kube/scheduling", "pkg/kube/managedby"},
		forbid: []string{"context", "os", "net/http", "k8s.io/client-go"},
	}, {
		why: "what all ask of objects knows no room above it", from: []string{"pkg/kube"}, except: append(fixtures, kubeRooms...),
		forbid: inModule(kubeRooms...), tests: true, indirect: true,
	}, {
		why: "fixtures are for tests", from: []string{"cmd", "pkg"}, except: fixtures, forbid: inModule(append(fixtures, "pkg/host/hosttest")...),
	}, {
		why: "the tests of evict hold forecast to its turns, not the other way " +
			"round", from: []string{"pkg/drain/forecast"}, forbid: inModule("pkg/drain/evict"), tests: true,
	}}
	return append(all, sideways(actors, kubeRooms)...)
}

// fixtureRules are those of packages that only tests use.
func fixtureRules() []rule {
	fixtures := []string{"pkg/flow/flowtest", "cmd/lifecycle-node/report/reporttest", "cmd/kubectl-lifecycle/env/envtest"}
	return []rule{{why: "fixtures are for tests", from: []string{"cmd", "pkg"}, except: fixtures, forbid: inModule(fixtures...)}}
}

// sideways forbids that the rooms of one floor import each other.
func sideways(floors ...[]string) (all []rule) {
	for _, rooms := range floors {
		for _, one := range rooms {
			others := slices.DeleteFunc(slices.Clone(rooms), func(r string) bool { return r == one })
			all = append(all, rule{why: "nothing goes sideways", from: []string{one}, forbid: inModule(others...), indirect: true})
		}
	}
	return all
}

// cleanRooms are the packages of the parts of a removal.
func cleanRooms() []string {
	return []string{"pkg/clean/control", "pkg/clean/etcd", "pkg/clean/runtime", "pkg/clean/network", "pkg/clean/filter", "pkg/clean/disk",
		"pkg/clean/traces", "pkg/clean/hostpaths", "pkg/clean/devices"}
}

// cleanRules are those of pkg/clean and its rooms.
func cleanRules() []rule {
	rooms := cleanRooms()
	shared := []string{"pkg/clean/inventory", "pkg/clean/part", "pkg/clean/ownership", "pkg/clean/cluster", "pkg/clean/cni",
		"pkg/clean/joindate", "pkg/clean/secrecy"}
	all := []rule{{
		why:  "the plugin reads an inventory and touches no host",
		from: []string{"pkg/flow", "cmd/kubectl-lifecycle", "e2e"}, tests: true, indirect: true,
		forbid: inModule("pkg/clean", "pkg/host"), but: inModule("pkg/clean/inventory"),
	}, {
		why: "what all rooms share knows none of them", from: shared, forbid: inModule(rooms...), tests: true, indirect: true,
	}}
	for _, room := range rooms {
		others := slices.DeleteFunc(slices.Clone(rooms), func(other string) bool {
			// The second look knows what the first has named.
			return other == room || room == "pkg/clean/traces" && (other == "pkg/clean/disk" || other == "pkg/clean/network")
		})
		all = append(all, rule{why: "a room of pkg/clean gets what it needs of another as a function", from: []string{room},
			forbid: inModule(others...), tests: true, indirect: true})
	}
	return all
}

// rooms are the floors of what has several packages, from the top down; those of one
// floor are beside each other, and "" is the package itself.
func rooms() map[string][][]string {
	return map[string][][]string{
		"pkg/join": {{""}, {"arrival"}, {"check", "certificates"}, {"bootstrap"}, {"watch", "marks"}},
		"pkg/cni": {{"uninstall"}, {""}, {"status"}, {"finding"}, {"health"}, {"catalogue", "helm", "registry"}, {"facts"}, {"release"},
			{"chart", "values", "cidr", "mirror"}},
		"pkg/runner": {{"probe"}, {""}, {"podcarrier", "sshcarrier"}, {"payload", "wire"}},
		"pkg/flow": {
			{"doctor", "lost", "hostcommand"},
			{"", "certrenew", "servingcerts", "upgradeplan", "kubeletrecovery", "newcluster", "newcontrolplane", "netclean", "netswitch",
				"joinscript", "ownconfig"},
			{"certcheck", "newhost", "hostlook"},
			{"controlplane", "departure", "hostdata", "hostfacts", "liveness"},
			{"kubenode", "access"},
		},
		"cmd/kubectl-lifecycle": {{"certificates", "checkup", "completion", "joining", "network", "nodes", "overview", "upgrading"},
			{"env"}, {"view"}},
		"cmd/lifecycle-node": {{"certrenew", "hostcommand", "hostprep", "kubeletcert", "netclean", "netlook", "netprobe"},
			{"certlook", "hostlock", "ownunit", "report"}},
	}
}

// TestEveryPackageHasItsFloor: a package without a floor could import any other.
func TestEveryPackageHasItsFloor(t *testing.T) {
	for domain, floors := range rooms() {
		for _, name := range below(t, "../"+domain) {
			if !slices.Contains(slices.Concat(floors...), name) {
				t.Errorf("rooms() does not say on which floor of %s %s is", domain, name)
			}
		}
	}
}

// downwards lets the packages of a domain import those of lower floors alone.
func downwards(domain string) []rule {
	var all []rule
	var above []string
	for _, floor := range rooms()[domain] {
		var here []string
		for _, room := range floor {
			here = append(here, strings.TrimSuffix(domain+"/"+room, "/"))
		}
		for _, room := range here {
			beside := slices.DeleteFunc(slices.Clone(here), func(other string) bool { return other == room })
			one := rule{why: "imports point downwards only, within a domain too", from: []string{room}, exactly: append(beside, above...),
				tests: true, indirect: true}
			if room == domain { // a rule holds for all below a folder
				for _, name := range slices.Concat(rooms()[domain]...) {
					if name != "" {
						one.except = append(one.except, domain+"/"+name)
					}
				}
			}
			if len(one.exactly) > 0 {
				all = append(all, one)
			}
		}
		above = append(above, here...)
	}
	return all
}

func inModule(folders ...string) []string {
	var paths []string
	for _, folder := range folders {
		paths = append(paths, module+folder)
	}
	return paths
}

// wireIsShared lets every package see the protocol: it is plain data, of the standard
// library, pkg/plan and pkg/text.
const wireIsShared = module + "pkg/runner/wire"

// violations compares packages with the rules; the result is sorted.
func violations(packages []pkg, rules []rule) []string {
	var found []string
	for _, p := range packages {
		for _, r := range rules {
			if !under(p.ImportPath, inModule(r.from...)) || under(p.ImportPath, inModule(r.except...)) {
				continue
			}
			for _, i := range r.concerns(p) {
				if i != p.ImportPath && i != wireIsShared && (under(i, r.forbid) && !under(i, r.but) || slices.Contains(inModule(r.exactly...), i)) {
					found = append(found, fmt.Sprintf("%s imports %s: %s", p.ImportPath, i, r.why))
				}
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// concerns lists the imports of a package that a rule is about.
func (r rule) concerns(p pkg) []string {
	imports := slices.Clone(p.Imports)
	if r.indirect {
		imports = append(imports, p.Deps...)
	}
	if r.tests {
		imports = append(append(imports, p.TestImports...), p.XTestImports...)
	}
	return imports
}

// strictViolations holds a few packages to a list of what they may import at
// all, beside the standard library.
func strictViolations(packages []pkg, allowed map[string][]string) []string {
	standard := make(map[string]bool)
	for _, p := range packages {
		standard[p.ImportPath] = p.Standard
	}
	var found []string
	for _, p := range packages {
		may, strict := allowed[p.ImportPath]
		if !strict {
			continue
		}
		for _, i := range p.Deps {
			if !standard[i] && !slices.Contains(may, i) {
				found = append(found, fmt.Sprintf("%s imports %s: it may import the standard library and %v", p.ImportPath, i, may))
			}
		}
	}
	slices.Sort(found)
	return found
}

// under says whether a path is one of some folders or below it.
func under(path string, folders []string) bool {
	return slices.ContainsFunc(folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

func TestImportsPointDownwardsOnly(t *testing.T) {
	packages := list(t, "./pkg/...", "./cmd/...", "./e2e/...")
	for _, v := range violations(packages, rules()) {
		t.Error(v)
	}
	for _, v := range strictViolations(packages, map[string][]string{
		module + "pkg/plan":        nil,
		module + "pkg/text":        nil,
		module + "pkg/wave":        nil,
		module + "pkg/networks":    nil,
		module + "pkg/runner/wire": {module + "pkg/plan", module + "pkg/text"},
		// Not pkg/clean itself either, which the plugin would link with all of pkg/host.
		module + "pkg/clean/inventory": {module + "pkg/plan", module + "pkg/text", module + "pkg/networks"},
	}) {
		t.Error(v)
	}
}

// list describes the packages and all that they are linked with, as they are
// built for a Linux host.
func list(t *testing.T, patterns ...string) []pkg {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{
		"list", "-deps", "-tags", "e2e", "-json=ImportPath,Standard,Imports,TestImports,XTestImports,Deps",
	}, patterns...)...)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var packages []pkg
	decoder := json.NewDecoder(out)
	for {
		var p pkg
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(packages) < 10 {
		t.Fatalf("go list names only %d packages", len(packages))
	}
	return packages
}

func TestAForbiddenImportIsFound(t *testing.T) {
	cases := map[string]struct {
		pkg  pkg
		want int
	}{
		"a domain may import plan":                 {pkg{ImportPath: module + "pkg/drain", Imports: []string{module + "pkg/plan"}}, 0},
		"a domain may not import another":          {pkg{ImportPath: module + "pkg/drain", Imports: []string{module + "pkg/join"}}, 1},
		"nor may its tests":                        {pkg{ImportPath: module + "pkg/join", XTestImports: []string{module + "pkg/cni"}}, 1},
		"nor what is below it":                     {pkg{ImportPath: module + "pkg/cni/x", Imports: []string{module + "pkg/runner"}}, 1},
		"a domain may not import flow":             {pkg{ImportPath: module + "pkg/runner", Imports: []string{module + "pkg/flow"}}, 1},
		"flow may import all domains":              {pkg{ImportPath: module + "pkg/flow", Imports: inModule(domains()...)}, 0},
		"the node program may import the protocol": {pkg{ImportPath: module + "cmd/lifecycle-node", Imports: []string{wireIsShared}}, 0},
		"the node program may not link client-go": {pkg{ImportPath: module + "cmd/lifecycle-node",
			Deps: []string{"k8s.io/client-go/rest"}}, 1},
		"cri-api is not k8s.io/api":     {pkg{ImportPath: module + "pkg/host", Deps: []string{"k8s.io/cri-api/pkg/apis"}}, 0},
		"clean may not link k8s.io/api": {pkg{ImportPath: module + "pkg/clean", Deps: []string{"k8s.io/api/core/v1"}}, 1},
		"host may not import clean":     {pkg{ImportPath: module + "pkg/host", Imports: []string{module + "pkg/clean"}}, 1},
		"a room may not import another": {pkg{ImportPath: module + "pkg/clean/disk",
			Imports: []string{module + "pkg/clean/etcd"}}, 1},
		"the second look knows the disk": {pkg{ImportPath: module + "pkg/clean/traces",
			Imports: []string{module + "pkg/clean/disk"}}, 0},
		"the second look does not know the runtime": {pkg{ImportPath: module + "pkg/clean/traces",
			Imports: []string{module + "pkg/clean/runtime"}}, 1},
		"flow may import an inventory": {pkg{ImportPath: module + "pkg/flow",
			Imports: []string{module + "pkg/clean/inventory"}}, 0},
		"flow may not import the recipe": {pkg{ImportPath: module + "pkg/flow", Imports: []string{module + "pkg/clean"}}, 1},
		"flow may not import a room":     {pkg{ImportPath: module + "pkg/flow", Imports: []string{module + "pkg/clean/network"}}, 1},
		"only cni/helm imports Helm":     {pkg{ImportPath: module + "pkg/flow", Imports: []string{"helm.sh/helm/v3/pkg/action"}}, 1},
		"cni does not":                   {pkg{ImportPath: module + "pkg/cni", Imports: []string{"helm.sh/helm/v3/pkg/action"}}, 1},
		"cni/helm imports Helm": {pkg{ImportPath: module + "pkg/cni/helm",
			Imports: []string{"helm.sh/helm/v3/pkg/action"}}, 0},
		"a domain may import its rooms": {pkg{ImportPath: module + "pkg/cni", Imports: inModule("pkg/cni/health",
			"pkg/cni/chart")}, 0},
		"a room may import one below":              {pkg{ImportPath: module + "pkg/cni/facts", Imports: inModule("pkg/cni/release")}, 0},
		"a room may not import one above":          {pkg{ImportPath: module + "pkg/cni/facts", Imports: inModule("pkg/cni/catalogue")}, 1},
		"a room may not import one beside it":      {pkg{ImportPath: module + "pkg/cni/catalogue", XTestImports: inModule("pkg/cni/helm")}, 1},
		"a room may not import the domain":         {pkg{ImportPath: module + "pkg/cni/values", Imports: inModule("pkg/cni")}, 1},
		"flow may be linked with Helm through cni": {pkg{ImportPath: module + "pkg/flow", Deps: []string{"helm.sh/helm/v3/pkg/action"}}, 0},
		"a domain does not know cobra":             {pkg{ImportPath: module + "pkg/cni", Imports: []string{"github.com/spf13/cobra"}}, 1},
		"the node program does not know cobra": {pkg{ImportPath: module + "cmd/lifecycle-node",
			Imports: []string{"github.com/spf13/cobra"}}, 1},
		"the plugin may import its rooms": {pkg{ImportPath: module + "cmd/kubectl-lifecycle",
			Imports: inModule("cmd/kubectl-lifecycle/view")}, 0},
		"no other package may": {pkg{ImportPath: module + "pkg/flow", Imports: inModule("cmd/kubectl-lifecycle/view")}, 1},
		"a room may not import its program": {pkg{ImportPath: module + "cmd/kubectl-lifecycle/view",
			Imports: inModule("cmd/kubectl-lifecycle")}, 1},
		"a command may import what every command is given": {pkg{ImportPath: module + "cmd/kubectl-lifecycle/nodes",
			Imports: inModule("cmd/kubectl-lifecycle/env", "cmd/kubectl-lifecycle/view")}, 0},
		"no other family of commands": {pkg{ImportPath: module + "cmd/kubectl-lifecycle/nodes",
			Imports: inModule("cmd/kubectl-lifecycle/joining")}, 1},
		"which knows no command": {pkg{ImportPath: module + "cmd/kubectl-lifecycle/env",
			Imports: inModule("cmd/kubectl-lifecycle/nodes")}, 1},
		"nor does what is shown": {pkg{ImportPath: module + "cmd/kubectl-lifecycle/view",
			Imports: inModule("cmd/kubectl-lifecycle/env")}, 1},
		"the plugin does": {pkg{ImportPath: module + "cmd/kubectl-lifecycle",
			Imports: []string{"github.com/spf13/cobra"}}, 0},
		"a program may import its own parts": {pkg{ImportPath: module + "cmd/lifecycle-node",
			Imports: []string{module + "cmd/lifecycle-node/report"}}, 0},
		"but none of another program's": {pkg{ImportPath: module + "cmd/kubectl-lifecycle",
			Imports: []string{module + "cmd/lifecycle-node/report"}}, 1},
		"a recipe's part may not import a recipe": {pkg{ImportPath: module + "pkg/flow/kubenode", Imports: inModule("pkg/flow")}, 1},
		"nor another part sideways":               {pkg{ImportPath: module + "pkg/flow/hostdata", Imports: inModule("pkg/flow/liveness")}, 1},
		"a recipe may import its parts": {pkg{ImportPath: module + "pkg/flow/lost",
			Imports: inModule("pkg/flow", "pkg/flow/kubenode", "pkg/flow/liveness")}, 0},
		"a carrier may not import the runner": {pkg{ImportPath: module + "pkg/runner/podcarrier", Imports: inModule("pkg/runner")}, 1},
		"a package may not import a program": {pkg{ImportPath: module + "pkg/flow",
			Imports: []string{module + "cmd/kubectl-lifecycle"}}, 1},
		"evict may import the drain's contract": {pkg{ImportPath: module + "pkg/drain/evict", Imports: inModule("pkg/drain", "pkg/drain/pdb",
			"pkg/kube")}, 0},
		"the contract may not import evict":     {pkg{ImportPath: module + "pkg/drain", Imports: inModule("pkg/drain/evict")}, 1},
		"nor may budgets import the contract":   {pkg{ImportPath: module + "pkg/drain/pdb", Deps: inModule("pkg/drain")}, 1},
		"surge may not import evict":            {pkg{ImportPath: module + "pkg/drain/surge", Imports: inModule("pkg/drain/evict")}, 1},
		"forecast may not be linked with evict": {pkg{ImportPath: module + "pkg/drain/forecast", Deps: inModule("pkg/drain/evict")}, 1},
		"the tests of evict may import forecast": {pkg{ImportPath: module + "pkg/drain/evict",
			TestImports: inModule("pkg/drain/forecast")}, 0},
		"the tests of forecast may not import evict": {pkg{ImportPath: module + "pkg/drain/forecast",
			TestImports: inModule("pkg/drain/evict")}, 1},
		"budgets make no request":           {pkg{ImportPath: module + "pkg/drain/pdb", Imports: []string{"context"}}, 1},
		"a domain may import kube":          {pkg{ImportPath: module + "pkg/join", Imports: inModule("pkg/kube")}, 0},
		"kube may not import a domain":      {pkg{ImportPath: module + "pkg/kube/scheduling", Imports: inModule("pkg/drain")}, 1},
		"kube may not import its rooms":     {pkg{ImportPath: module + "pkg/kube", Imports: inModule("pkg/kube/bulklist")}, 1},
		"the node side may not import kube": {pkg{ImportPath: module + "pkg/clean", Deps: inModule("pkg/kube")}, 1},
		"a test may import fixtures": {pkg{ImportPath: module + "pkg/drain/surge",
			TestImports: inModule("pkg/kube/kubetest")}, 0},
		"a package may not":                          {pkg{ImportPath: module + "pkg/drain/surge", Imports: inModule("pkg/kube/kubetest")}, 1},
		"a package of a similar name is another one": {pkg{ImportPath: module + "pkg/drainage", Imports: []string{module + "pkg/join"}}, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := violations([]pkg{c.pkg}, rules()); len(got) != c.want {
				t.Errorf("%d violations, want %d: %v", len(got), c.want, got)
			}
		})
	}
	plan := []pkg{{ImportPath: "fmt", Standard: true}, {ImportPath: module + "pkg/plan", Deps: []string{"fmt", "golang.org/x/sync/errgroup"}}}
	if got := strictViolations(plan, map[string][]string{module + "pkg/plan": nil}); len(got) != 1 {
		t.Errorf("plan imports more than the standard library: %v", got)
	}
}
