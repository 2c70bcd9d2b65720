// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

func TestACopyOfKubeadmsKubeconfigGoesAndThoseOfPeopleStay(t *testing.T) {
	inWorld(t, func(w *world) {
		config := func(ca, more string) string {
			return fmt.Sprintf("clusters:\n- cluster:\n    certificate-authority-data: %s\n%s", base64.StdEncoding.EncodeToString([]byte(ca)), more)
		}
		homes := map[string]string{"/root": config(clusterCA, ""), "/home/ann": config(clusterCA, "users: [ann]\n"),
			"/home/bob": config(otherCA, ""), "/nfs/eve": config(clusterCA, "")}
		w.script("echo 'root:x:0:0::/root:/bin/sh' > etc/passwd; mkdir nfs; mount -t tmpfs x nfs")
		for home, text := range homes {
			w.script(fmt.Sprintf("mkdir -p .%[1]s/.kube; cat > .%[1]s/.kube/config <<'E'\n%[2]sE\necho 'u:x:1000:1000::%[1]s:/bin/sh' >> "+
				"etc/passwd", home, text))
		}
		w.script("ln -s /etc/shadow-like home/link; echo 'l:x:1:1::/home/link:/bin/sh\nd:x:2:2::/:/bin/sh\nn:x:3:3::/nonexistent:/bin/sh' >> " +
			"etc/passwd")
		w.join()
		w.script("cat > etc/kubernetes/admin.conf <<'E'\n" + homes["/root"] + "E")
		fates := map[string]inventory.Fate{}
		for _, it := range w.survey().Items {
			for home := range homes {
				if it.Name == home+"/.kube/config" {
					fates[home] = it.Fate
				}
			}
		}
		if fates["/root"] != inventory.Goes || fates["/home/ann"] != inventory.Stays || fates["/home/bob"] != "" ||
			fates["/nfs/eve"] != inventory.Goes {
			w.Errorf("fates: %v", fates)
		}
		verdict := w.remove()
		if verdict.State != inventory.CleanBut || len(verdict.But) != 1 || verdict.But[0].Name != "/home/ann/.kube/config" {
			w.Errorf("verdict: %+v", verdict)
		}
		var left []string
		for home := range homes {
			if w.exists(home + "/.kube/config") {
				left = append(left, home)
			}
		}
		slices.Sort(left)
		if !slices.Equal(left, []string{"/home/ann", "/home/bob"}) || !w.exists("/root/.kube") {
			w.Errorf("left: %v", left)
		}
	})
}
