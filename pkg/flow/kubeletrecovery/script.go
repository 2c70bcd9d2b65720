// SPDX-License-Identifier: Apache-2.0

package kubeletrecovery

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/flow/kubenode"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/join/bootstrap"
	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// script does on the host what the node program does: it sees that this is the machine, keeps
// what the kubelet has, writes the file that a kubelet without a valid certificate begins
// with, and waits until there is another certificate.
const script = `(
set -eu; umask 077
[ "$(cat /etc/machine-id)" = %[1]s ] || { echo %[2]s >&2; exit 1; }
cd /etc/kubernetes
keep=/var/backups/kubectl-lifecycle/certs-$(date -u +%%Y%%m%%dT%%H%%M%%SZ)-kubelet
mkdir -p "$keep"
cp kubelet.conf "$keep"
pem=/var/lib/kubelet/pki/kubelet-client-current.pem
if grep -qs 'END CERTIFICATE' $pem; then cp -L $pem "$keep"; else
  for f in "$(readlink -f $pem)" $pem; do [ ! -f "$f" ] && [ ! -L "$f" ] || mv "$f" "$keep"; done # the kubelet ends over it
fi
server=%[3]s
cat > bootstrap-kubelet.conf <<END
apiVersion: v1
kind: Config
current-context: bootstrap
clusters:
- {name: bootstrap, cluster: {server: "$server", certificate-authority-data: %[4]s}}
users:
- {name: bootstrap, user: {token: %[5]s}}
contexts:
- {name: bootstrap, context: {cluster: bootstrap, user: bootstrap}}
END
systemctl restart kubelet
n=0
until [ -n "$(find /var/lib/kubelet/pki/kubelet-client-current.pem -newer bootstrap-kubelet.conf 2>/dev/null)" ]; do
  n=$((n + 1)); [ "$n" -le 120 ] || { echo 'no new certificate after 2 minutes; see: journalctl -u kubelet' >&2; exit 1; }
  sleep 1
done
rm bootstrap-kubelet.conf
)`

// Script are the commands for root on the host, with a token.
func (r *Recovery) Script(token bootstrap.Token) string {
	server := text.Quote("https://" + r.about.Endpoint)
	if kubenode.IsControlPlane(r.Node) { // its kubelet asks its own API server
		server = `$(sed -n 's/^ *server: *//p' kubelet.conf | head -n 1)`
	}
	return fmt.Sprintf(script, text.Quote(r.Node.Status.NodeInfo.MachineID),
		text.Quote("this is not the host of node "+r.Node.Name+": its machine-id is another"), server,
		base64.StdEncoding.EncodeToString([]byte(strings.TrimSpace(r.about.CA)+"\n")), token.Whole()) + "\n"
}
