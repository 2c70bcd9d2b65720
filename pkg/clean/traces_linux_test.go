// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/host/hosttest"
)

// accountToken is a token of a ServiceAccount, without a signature that is worth
// anything.
func accountToken(node string, issued time.Time) string {
	body := fmt.Sprintf(`{"iss":"https://kubernetes.default.svc.cluster.local","iat":%d,"kubernetes.io":{"namespace":"kube-system",
"serviceaccount":{"name":"multus"},"node":{"name":%q}}}`, issued.Unix(), node)
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"alg":"RS256","kid":"none"}`) + "." + part(body) + "." + part("no-signature")
}

// leading is a kubeconfig that leads to the cluster of a certificate authority.
func leading(ca string) string {
	return "apiVersion: v1\nkind: Config\nclusters:\n- name: local\n  cluster:\n    server: https://10.96.0.1:443\n    " +
		"certificate-authority-data: " +
		base64.StdEncoding.EncodeToString([]byte(ca)) + "\nusers:\n- name: multus\n  user:\n    token: " + accountToken("w1", time.Now()) + "\n"
}

// put writes a file of the host.
func (w *world) put(path, content string) {
	w.Helper()
	w.script("mkdir -p $(dirname ." + path + "); cat > ." + path + " <<'END-OF-FILE'\n" + content + "\nEND-OF-FILE")
}

// multusLeft is what Multus, Istio, Linkerd and Whereabouts write beside a network.
func (w *world) multusLeft() {
	w.put("/etc/cni/net.d/00-multus.conf",
		`{"cniVersion":"0.3.1","name":"multus-cni-network","type":"multus","kubeconfig":"/etc/cni/net.d/multus.d/multus.kubeconfig",
 "delegates":[{"name":"cbr0","plugins":[{"type":"flannel"},{"type":"portmap"}]}]}`)
	w.put("/etc/cni/net.d/multus.d/multus.kubeconfig", leading(clusterCA))
	w.put("/etc/cni/net.d/ZZZ-istio-cni-kubeconfig", leading(clusterCA))
	w.put("/etc/cni/net.d/01-linkerd-cni.conf",
		`{"type":"linkerd-cni","kubernetes":{"kubeconfig":"/etc/cni/net.d/ZZZ-linkerd-cni-kubeconfig"}}`)
	w.put("/etc/cni/net.d/ZZZ-linkerd-cni-kubeconfig", leading(clusterCA))
	w.put("/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig", leading(clusterCA))
	w.put("/etc/cni/net.d/30-mine-by-its-kubeconfig.conf",
		`{"name":"x","type":"unheard-of","kubeconfig":"/host/etc/cni/net.d/whereabouts.d/whereabouts.kubeconfig"}`)
	w.put("/var/lib/cni/results/multus-cni-network-abc-eth0", "{}")
	w.put("/opt/cni/bin/multus", "x")
}

func TestWhatPluginsBesideANetworkLeaveGoes(t *testing.T) {
	inWorld(t, func(w *world) {
		before := w.dump()
		w.join()
		w.multusLeft()
		verdict := w.remove()
		if verdict.State != inventory.Clean {
			w.Errorf("verdict: %+v", verdict)
		}
		w.same(before)
	})
}

func TestWhatWasThereBeforeTheJoinAndLeadsToTheClusterStaysAndIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.put("/etc/monitoring/agent.yaml", leading(clusterCA))
		w.put("/etc/cni/net.d/00-multus.conf", `{"type":"multus","kubeconfig":"/etc/cni/net.d/multus.d/multus.kubeconfig"}`)
		w.put("/etc/cni/net.d/multus.d/multus.kubeconfig", leading(clusterCA))
		w.put("/etc/ssl/other.pem", otherCA)
		w.script("born; old")
		before := w.dump()
		w.join()
		verdict := w.remove()
		want := []string{"file /etc/cni/net.d/00-multus.conf", "file /etc/cni/net.d/multus.d/multus.kubeconfig",
			"file /etc/monitoring/agent.yaml"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		w.same(before)
		for _, it := range verdict.But {
			if strings.Contains(it.Refers+it.Why, "eyJ") {
				w.Errorf("a token is said: %s", it.Refers)
			}
		}
	})
}

func TestEveryFileThatRefersToTheClusterIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.put("/etc/haproxy/haproxy.cfg", "backend api\n  server cp1 192.0.2.200:6443 check")
		w.put("/etc/pki/ca-trust/kube.pem", clusterCA)
		w.put("/etc/kubernetes/more/agent.conf", leading(clusterCA))
		w.put("/etc/kubernetes/agent.conf", leading(clusterCA))
		w.put("/var/lib/agent/secret.yaml", "data: "+base64.StdEncoding.EncodeToString([]byte(leading(clusterCA))))
		w.put("/run/agent/token", accountToken("w1", time.Now().Add(-time.Hour)))
		w.put("/root/.kube/other", leading(clusterCA))
		w.put("/etc/innocent", "192.0.2.200:64430 x192.0.2.200:6443 "+leading(otherCA)[:200])
		w.put("/etc/other-token", accountToken("another-node", time.Unix(1, 0)))
		w.script("mkfifo etc/fifo; ln -s /etc/haproxy etc/link; mkdir -p etc/disk; mount -t tmpfs x etc/disk; cp etc/haproxy/haproxy.cfg " +
			"etc/disk/")
		verdict := w.remove()
		want := []string{
			"file /etc/disk/haproxy.cfg", "file /etc/haproxy/haproxy.cfg", "file /etc/kubernetes/agent.conf", "file /etc/kubernetes/more/agent.conf",
			"file " +
				"/etc/pki/ca-trust/kube.pem",
			"file /root/.kube/other", "file /run/agent/token", "file /var/lib/agent/secret.yaml",
		}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
	})
}

func TestAnAddressAndAVolumeOfTheClusterOnWhatStaysAreNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.join()
		w.script(`ip addr add 192.0.2.200/32 dev eth0; ip addr add 169.254.20.10/32 dev lo; mkdir -p data srv/v
			mkdir -p data/pods/0a1b2c3d-0000-1111-2222-333344445555/volumes/kubernetes.io~empty-dir/x
mount -t tmpfs x data/pods/0a1b2c3d-0000-1111-2222-333344445555/volumes/kubernetes.io~empty-dir/x`)
		verdict := w.remove()
		want := []string{"address 169.254.20.10/32 (lo)", "address 192.0.2.200/32 (eth0)",
			"mount /data/pods/0a1b2c3d-0000-1111-2222-333344445555/volumes/kubernetes.io~empty-dir/x"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
	})
}

// The runtime's plugin would wait for its agent for each pod, twice. The kernel
// accepts connections for an agent that hangs.
func TestANetworkWhoseAgentIsDeadIsNotAskedToTakeItselfDown(t *testing.T) {
	for _, agent := range []string{"dead", "hanging", "alive", "alive, and hangs up"} {
		t.Run(agent, func(t *testing.T) {
			inWorld(t, func(w *world) {
				before := w.dump()
				w.join()
				w.put("/etc/cni/net.d/05-cilium.conflist", `{"name":"cilium","plugins":[{"type":"cilium-cni"}]}`)
				w.script("mkdir -p run/cilium")
				if agent != "dead" {
					listen, err := net.Listen("unix", w.dir+"/run/cilium/cilium.sock")
					hosttest.Must(t, err)
					defer func() { _ = listen.Close() }()
					go answer(listen, agent)
				}
				var without []bool
				w.runtime.Stop = func(pod string) error {
					if pod == "web" {
						without = append(without, w.exists("/etc/cni/net.d/00-kubectl-lifecycle.conflist"))
					}
					return nil
				}
				if verdict := w.remove(); verdict.State != inventory.Clean {
					w.Errorf("verdict: %+v", verdict)
				}
				if alive := strings.HasPrefix(agent, "alive"); !slices.Equal(without, []bool{!alive}) {
					w.Errorf("pods were stopped without their network: %v", without)
				}
				w.same(before)
			})
		})
	}
}

// answer does what an agent does with connections, until nobody listens any more.
func answer(listen net.Listener, agent string) {
	if agent == "alive" {
		server := http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
		_ = server.Serve(listen)
	}
	for agent != "hanging" {
		c, err := listen.Accept()
		if err != nil {
			return
		}
		_ = c.Close()
	}
}

// Users of a directory service are not in /etc/passwd, and a kubeconfig in a directory
// of another user's is not looked into as a home's.
func TestAKubeconfigThatIsInNoHomeOfPasswdIsFound(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("mkdir -p home/ldap home/local; chown 7001 home/ldap; echo 'local:x:7002:7002::/home/local:/bin/sh' > etc/passwd; chown 7002 " +
			"home/local")
		w.join()
		w.put("/etc/kubernetes/admin.conf", leading(clusterCA))
		w.script("mkdir home/ldap/.kube home/local/.kube srv/ci srv/ci/.kube; cp etc/kubernetes/admin.conf home/ldap/.kube/config; cp " +
			"etc/kubernetes/admin.conf home/local/.kube/config; cp etc/kubernetes/admin.conf srv/ci/.kube/config; chown -R 7001 home/ldap/.kube; " +
			"chown -R 7003 home/local/.kube")
		verdict := w.remove()
		want := []string{"file /home/local/.kube/config", "file /srv/ci/.kube/config"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
		if w.exists("/home/ldap/.kube/config") {
			w.Error("the copy of kubeadm's in a directory service's home is there")
		}
	})
}

// What is too large to be read may refer to the cluster: no look gives up in silence.
func TestWhatIsTooLargeToReadIsNamed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.script("echo 'local:x:7002:7002::/home/local:/bin/sh' > etc/passwd; mkdir -p home/local/.kube; born; old")
		w.join()
		large := strings.Repeat("# a comment\n", 30_000)
		put := func(path, content string) {
			w.script("mkdir -p $(dirname ." + path + ")")
			hosttest.Must(w.T, os.WriteFile(w.dir+path, []byte(content), 0o600))
		}
		put("/etc/agent/kubeconfig", "apiVersion: v1\nkind: Config\n"+large+leading(clusterCA))
		put("/etc/agent/bundle.pem", otherCA+large+clusterCA)
		put("/etc/agent/first", leading(clusterCA)+large)
		put("/etc/agent/words", large)
		put("/etc/cni/net.d/50-large.conf", `{"name":"x"}`+strings.Repeat(large, 4))
		put("/etc/kubernetes/large.yaml", strings.Repeat(large, 4))
		w.script("head -c 300000 /dev/urandom > etc/agent/data; head -c 1100000 /dev/zero > home/local/.kube/config; chown -R 7002 home/local")
		verdict := w.remove()
		want := []string{"file /etc/agent/bundle.pem", "file /etc/agent/first", "file /etc/agent/kubeconfig", "file /etc/cni/net.d/50-large.conf",
			"file /etc/kubernetes/large.yaml", "file /home/local/.kube/config"}
		if diff := cmp.Diff(want, names(verdict.But)); diff != "" || verdict.State != inventory.CleanBut {
			w.Errorf("verdict %s (-want +got):\n%s", verdict.State, diff)
		}
	})
}
