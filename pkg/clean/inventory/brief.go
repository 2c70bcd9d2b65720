// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostOfVerdict is how large a verdict may be, as JSON: it travels in a Secret,
// with other things.
const mostOfVerdict = 96 << 10

// Brief is a verdict that says the same in no more than 96 KiB: of each list the
// first things, and how many more there are; each text is one short line. A host
// that is not clean stays so.
func (v Verdict) Brief() Verdict {
	for most, length := 1000, 300; most > 0; most, length = most/2, max(length/2, 40) {
		short := v.shortened(most, length)
		if raw, err := json.Marshal(short); err == nil && len(raw) <= mostOfVerdict {
			return short
		}
	}
	return v.shortened(0, 40)
}

func (v Verdict) shortened(most, length int) Verdict {
	v.Backup = text.Short(v.Backup, length)
	for field := range reflect.ValueOf(&v).Elem().NumField() { // each list of things, so that none is forgotten
		if list, is := reflect.ValueOf(&v).Elem().Field(field).Addr().Interface().(*[]Item); is {
			*list = fewItems(*list, most, length)
		}
	}
	var unchecked []Unchecked
	for i, u := range v.Unchecked {
		if i == most {
			unchecked = append(unchecked, Unchecked{Kind: u.Kind, What: fmt.Sprintf("%d more", len(v.Unchecked)-most), Why: "too many to name"})
			break
		}
		unchecked = append(unchecked, Unchecked{Kind: u.Kind, What: text.Short(u.What, length), Why: text.Short(u.Why, length)})
	}
	v.Unchecked = unchecked
	var blocking []string
	for i, b := range v.Blocking {
		if i == most {
			blocking = append(blocking, fmt.Sprintf("and %d more", len(v.Blocking)-most))
			break
		}
		blocking = append(blocking, text.Short(b, length))
	}
	v.Blocking = blocking
	return v
}

// fewItems are the first of some items, each short, and how many more things there are: those of
// which nothing is known by themselves, as a verdict counts them so.
func fewItems(items []Item, most, length int) []Item {
	var out []Item
	for _, it := range items[:min(len(items), most)] {
		for _, field := range []*string{&it.Name, &it.In, &it.ID, &it.Detail, &it.Why, &it.Refers, &it.Personal, &it.Original, &it.Digest} {
			*field = text.Short(*field, length)
		}
		out = append(out, it)
	}
	rest := items[len(out):]
	for _, refers := range []string{"", NotLookedAt + "too many to name"} {
		var these []Item
		for _, it := range rest {
			if it.Unseen() == (refers != "") {
				these = append(these, it)
			}
		}
		if n := Things(these); n > 0 {
			out = append(out, Item{Kind: these[0].Kind, Name: fmt.Sprintf("%d more", n), Owner: these[0].Owner, Fate: these[0].Fate,
				Why: "too many to name", Refers: refers, Count: n})
		}
	}
	return out
}
