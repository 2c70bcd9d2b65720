// SPDX-License-Identifier: Apache-2.0

package etcd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/kubectl-lifecycle/kubectl-lifecycle/pkg/text"
)

// mostOfPiece bounds a piece of a snapshot: etcd sends 32 KiB of data at a time.
const mostOfPiece = 1 << 20

// pageSize is what the size of a database is a multiple of, at least.
const pageSize = 512

// Snapshot writes the data of the cluster, as a member has it: its database, and behind that
// the database's SHA-256 (etcd's Maintenance.Snapshot). VerifySnapshot says whether all of it
// has come.
func (c *Client) Snapshot(ctx context.Context, endpoint string, w io.Writer) error {
	const path = "/v3/maintenance/snapshot"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint+path, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("ask etcd for a snapshot: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read
	if response.StatusCode != http.StatusOK {
		raw, err := io.ReadAll(io.LimitReader(response.Body, mostOfAnswer))
		return errors.Join(refusal(endpoint, path, response.Status, raw), err)
	}
	if err := pieces(response.Body, w); err != nil {
		return fmt.Errorf("read etcd's snapshot: %w", err)
	}
	return nil
}

// pieces writes what a stream of the gateway holds: one answer in a line, the last of which
// may say that it failed.
func pieces(stream io.Reader, w io.Writer) error {
	lines := bufio.NewScanner(stream)
	lines.Buffer(make([]byte, 64<<10), mostOfPiece)
	for lines.Scan() {
		var piece struct {
			Result struct {
				Blob []byte `json:"blob"`
			} `json:"result"`
			Error *struct {
				Message string `json:"message"`
			} `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &piece); err != nil {
			return err
		}
		if piece.Error != nil {
			return errors.New(text.Short(piece.Error.Message, 500))
		}
		if _, err := w.Write(piece.Result.Blob); err != nil {
			return err
		}
	}
	return lines.Err()
}

// VerifySnapshot says what is wrong with a snapshot of some size, as etcdutl does: the last 32
// bytes have to be the SHA-256 of all before them.
func VerifySnapshot(snapshot io.Reader, size int64) error {
	if size <= sha256.Size || size%pageSize != sha256.Size {
		return fmt.Errorf("it is not whole: it has %d bytes, which is no database with a checksum behind it", size)
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, snapshot, size-sha256.Size); err != nil {
		return err
	}
	said := make([]byte, sha256.Size)
	if _, err := io.ReadFull(snapshot, said); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), said) {
		return errors.New("its checksum is not the one that etcd has sent")
	}
	return nil
}
