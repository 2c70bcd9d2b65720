// SPDX-License-Identifier: Apache-2.0

package clean_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/clean/inventory"
)

// Installers put a configuration on another disk, and a link to it in /etc. What root's own links
// lead to is searched, within bounds, is named by both names, and is not touched.
func TestWhatLinksOfConfigurationsLeadToIsSearched(t *testing.T) {
	const none = ""
	for name, tc := range map[string]struct {
		plant string
		// named is the file or directory that the verdict has, by is the link that it says.
		named, by string
	}{
		"a file elsewhere": {"FILE=data/agent.conf; put; ln -s ../data/agent.conf etc/agent.conf", "/data/agent.conf",
			"/etc/agent.conf"},
		"a directory elsewhere": {"FILE=data/app/conf/agent.conf; put; ln -s ../data/app etc/app", "/data/app/conf/agent.conf", "/etc/app"},
		"a certificate authority": {"mkdir data; printf %s \"$CA\" > data/ca.pem; ln -s ../data/ca.pem etc/ca.pem", "/data/ca.pem",
			"/etc/ca.pem"},
		"on another disk": {"mkdir -p mnt/disk; mount -t tmpfs x mnt/disk; FILE=mnt/disk/app/agent.conf; put; ln -s ../mnt/disk/app etc/app",
			"/mnt/disk/app/agent.conf", "/etc/app"},
		"a link that leads to a link": {"FILE=data/c/agent.conf; put; ln -s c data/b; ln -s ../data/b etc/a", "/data/c/agent.conf",
			"/etc/a"},
		"a link in a directory that one leads to": {"FILE=more/agent.conf; put; mkdir data; ln -s ../more data/in; ln -s ../data etc/a",
			"/more/agent.conf", "/data/in"},
		"deeper than is searched otherwise": {"FILE=srv/a/b/c/d/agent.conf; put; ln -s ../srv/a/b/c/d etc/app", "/srv/a/b/c/d/agent.conf",
			"/etc/app"},
		"older than the join": {"FILE=data/app/agent.conf; put; ln -s ../data/app etc/app; born; old",
			"/data/app/agent.conf", "/etc/app"},
		"in /opt": {"FILE=data/app/agent.conf; put; mkdir -p opt/app; ln -s ../../data/app opt/app/etc",
			"/data/app/agent.conf", "/opt/app/etc"},
		"in a directory of packages": {"SINCE", "/usr/lib/app/agent.conf", "/etc/app"},
		"another user's link": {"FILE=data/agent.conf; put; ln -s ../data/agent.conf etc/agent.conf; chown -h 1000 etc/agent.conf",
			none, none},
		"a person's link at home": {"FILE=data/agent.conf; put; mkdir -p root; ln -s ../data/agent.conf root/agent.conf", none, none},
		"the root directory":      {"FILE=data/agent.conf; put; ln -s .. etc/all", none, none},
		"itself":                  {"ln -s loop etc/loop; ln -s . etc/here; ln -s ../nowhere etc/gone", none, none},
		"no file":                 {"mkdir data; mkfifo data/f; ln -s ../data/f etc/f; ln -s /dev/zero etc/zero", none, none},
		"logs":                    {"FILE=var/log/app/agent.log; put; ln -s ../var/log/app etc/logs", none, none},
		"what goes":               {"mkdir -p etc/app; ln -s ../../var/lib/kubelet/pki etc/app/pki", none, none},
		"too many files": {"mkdir -p data/big; (cd data/big; seq 2100 | xargs touch); ln -s ../data/big etc/big",
			"/data/big", none},
		"too deep": {"mkdir -p data/1/2/3/4/5/6; ln -s ../data etc/deep", "/data/1/2/3/4/5", none},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				const put = "CA='" + clusterCA + "'; put() { mkdir -p $(dirname $FILE); " +
					"printf 'kind: Config\nserver: https://192.0.2.200:6443\n' > $FILE; }\n"
				since := tc.plant == "SINCE"
				if !since {
					w.script(put + tc.plant)
				}
				w.join()
				if since {
					w.script(put + "FILE=usr/lib/app/agent.conf; put; FILE=usr/lib/old/x; ln -s ../usr/lib/app etc/app")
				}
				v := w.remove()
				at := slices.IndexFunc(v.But, func(it inventory.Item) bool { return it.Name == tc.named })
				switch {
				case tc.named == none:
					if v.State != inventory.Clean {
						w.Errorf("verdict %s, but %v", v.State, v.But)
					}
				case at < 0 || !strings.Contains(v.But[at].Refers, tc.by):
					w.Errorf("%s, and the link %q, is not named: %+v", tc.named, tc.by, v.But)
				case !w.exists(tc.named):
					w.Errorf("%s is gone", tc.named)
				}
			})
		})
	}
}
