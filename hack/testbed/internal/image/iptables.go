// SPDX-License-Identifier: Apache-2.0

package image

// backendScript stands in for the packet-filter commands in images. A node's
// rules may be in either back end, and a second set in the other one would be
// invisible to half of the tools: so, as in the real kube-proxy and flannel
// images, the one is used in which the kubelet has left its hint.
const backendScript = `#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the packet-filter command of the back end that the kubelet uses here.
memory=/tmp/.iptables-backend
if [ -r "$memory" ]; then
  read -r backend <"$memory"
else
  backend=nft
  hint='KUBE-IPTABLES-HINT\|KUBE-KUBELET-CANARY'
  if ! iptables-nft-save -t mangle 2>/dev/null | grep -q "$hint"; then
    # Listing legacy tables creates them, so look first whether there are any.
    if [ -s /proc/net/ip_tables_names ] && iptables-legacy-save -t mangle 2>/dev/null | grep -q "$hint"; then
      backend=legacy
    fi
  fi
  echo "$backend" >"$memory" 2>/dev/null
fi
name=${0##*/}
case $name in
  *-save | *-restore) exec "/usr/sbin/${name%-*}-$backend-${name##*-}" "$@" ;;
  *) exec "/usr/sbin/$name-$backend" "$@" ;;
esac
`

// baseFiles are laid over the root file system below container images.
func baseFiles() []File {
	var files []File
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			files = append(files, File{
				Path: "/usr/local/sbin/" + family + suffix,
				Mode: 0o755,
				Data: []byte(backendScript),
			})
		}
	}
	return files
}
