// SPDX-License-Identifier: Apache-2.0

package cidr

import (
	"testing"
)

// FuzzCIDRs: what is read is written so that it is read again as the same.
func FuzzCIDRs(f *testing.F) {
	for _, seed := range []string{"10.244.0.0/16,fd00:10:244::/56", " 10.0.0.1/8 ,", "::ffff:10.0.0.0/104", "fe80::%eth0/64",
		"10.0.0.0/33", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, words string) {
		prefixes, err := Parse(words)
		if err != nil {
			return
		}
		again, err := Parse(List(prefixes))
		if err != nil || !Same(prefixes, again) || !Same(again, prefixes) {
			t.Errorf("%q is %v, then %v (%v)", words, prefixes, again, err)
		}
		for _, p := range prefixes {
			if !p.IsValid() || p != p.Masked() || !Contains(prefixes, p) {
				t.Errorf("%q gives %v", words, p)
			}
		}
	})
}
