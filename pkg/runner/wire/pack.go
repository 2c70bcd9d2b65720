// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
)

// maxUnpacked bounds an answer: an inventory of tens of thousands of rules.
const maxUnpacked = 64 << 20

// Pack makes an answer small enough for a Secret (gzip).
func Pack(answer []byte) ([]byte, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(answer)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("pack the answer: %w", err)
	}
	return out.Bytes(), nil
}

// Unpack is the contrary of Pack. It fails for what was not packed, and for more
// than 64 MiB.
func Unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack the answer: %w", err)
	}
	out, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("unpack the answer: %w", err)
	}
	if len(out) > maxUnpacked {
		return nil, fmt.Errorf("unpack the answer: it has more than %d MiB", maxUnpacked>>20)
	}
	return out, nil
}
