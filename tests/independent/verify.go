// verify checks a log's folder and receipts with Go's own transparency log
// packages and none of Samband's code.
//
//	verify <log dir> <vkey> [<receipt.tlog-proof> <leaf file>]...
//	verify <log dir> <vkey> <receipts dir>
//
// In a receipts folder NAME.tlog-proof lies beside NAME.leaf. The log dir may be
// an https:// address instead: SAMBAND_CA, SAMBAND_CLIENT_CERT and
// SAMBAND_CLIENT_KEY then name the files of the authority and the client.
//
// The folder must hold a signed checkpoint and, for its size, every entry
// bundle and every tile. Each receipt must prove its leaf under a checkpoint
// signed by the same key, and that checkpoint must be a past of the folder's.
//
// Build: GO111MODULE=off GOPATH=/usr/share/gocode go build verify.go
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height = 8
	width  = 1 << height
)

type head struct {
	origin string
	tree   tlog.Tree
}

func decimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is no plain decimal number", text)
	}
	return n, nil
}

func hash(text string) (tlog.Hash, error) {
	var h tlog.Hash
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize || base64.StdEncoding.EncodeToString(raw) != text {
		return h, fmt.Errorf("%q is no hash in base64", text)
	}
	copy(h[:], raw)
	return h, nil
}

// openCheckpoint verifies a signed checkpoint and reads its three lines.
func openCheckpoint(signed []byte, verifier note.Verifier) (head, error) {
	var h head
	if bytes.ContainsRune(signed, '\r') {
		return h, errors.New("carriage return in the checkpoint")
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return h, err
	}
	// Go's package drops a repeated line silently.
	at := bytes.LastIndex(signed, []byte("\n\n"))
	seen := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSuffix(string(signed[at+2:]), "\n"), "\n") {
		fields := strings.Split(line, " ")
		if len(fields) != 3 {
			return h, errors.New("signature line of a wrong form")
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(fields[2])
		if err != nil || len(raw) < 5 {
			return h, errors.New("signature line without canonical base64")
		}
		key := fields[1] + " " + string(raw[:4])
		if seen[key] {
			return h, errors.New("two signatures of one key")
		}
		seen[key] = true
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return h, errors.New("the checkpoint is not three lines")
	}
	h.origin = lines[0]
	if h.origin != verifier.Name() {
		return h, errors.New("the checkpoint's origin is not the key's name")
	}
	if h.tree.N, err = decimal(lines[1]); err != nil {
		return h, err
	}
	h.tree.Hash, err = hash(lines[2])
	return h, err
}

// tilePath turns Go's path of a tile into that of C2SP tlog-tiles.
func tilePath(tile tlog.Tile) string {
	path := strings.TrimPrefix(tile.Path(), "tile/8/")
	return "tile/" + strings.Replace(path, "data/", "entries/", 1)
}

// folder reads tiles for Go's authenticating tile reader.
type folder string

func (f folder) Height() int                         { return height }
func (f folder) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range tiles {
		data, err := f.read(tile)
		if err != nil {
			return nil, err
		}
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tilePath(tile), len(data))
		}
		all = append(all, data)
	}
	return all, nil
}

func (f folder) read(tile tlog.Tile) ([]byte, error) {
	return f.get(tilePath(tile))
}

func (f folder) get(path string) ([]byte, error) {
	if !strings.HasPrefix(string(f), "https://") {
		return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
	}
	client, err := mutualTLS()
	if err != nil {
		return nil, err
	}
	answer, err := client.Get(strings.TrimSuffix(string(f), "/") + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, answer.Status)
	}
	// A full bundle of the largest entries is the most that a file may hold.
	return io.ReadAll(io.LimitReader(answer.Body, width*(2+65535)))
}

var shared *http.Client

// mutualTLS makes the one client that fetches from an https:// address.
func mutualTLS() (*http.Client, error) {
	if shared != nil {
		return shared, nil
	}
	pair, err := tls.LoadX509KeyPair(os.Getenv("SAMBAND_CLIENT_CERT"), os.Getenv("SAMBAND_CLIENT_KEY"))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(os.Getenv("SAMBAND_CA"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New("SAMBAND_CA holds no certificate")
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS13}
	shared = &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
	return shared, nil
}

// tilesOf lists the tiles of one level (-1: the bundles) of a tree of n leaves.
func tilesOf(level int, n int64) []tlog.Tile {
	count := n
	for l := 0; l < level; l++ {
		count >>= height
	}
	var tiles []tlog.Tile
	for i := int64(0); i*width < count; i++ {
		w := count - i*width
		if w > width {
			w = width
		}
		tiles = append(tiles, tlog.Tile{H: height, L: level, N: i, W: int(w)})
	}
	return tiles
}

func entries(bundle []byte, count int) ([][]byte, error) {
	var all [][]byte
	for i := 0; i < count; i++ {
		if len(bundle) < 2 {
			return nil, errors.New("ends too early")
		}
		size := int(binary.BigEndian.Uint16(bundle))
		if len(bundle) < 2+size {
			return nil, errors.New("ends too early")
		}
		all = append(all, bundle[2:2+size])
		bundle = bundle[2+size:]
	}
	if len(bundle) != 0 {
		return nil, errors.New("bytes after the last entry")
	}
	return all, nil
}

// checkFolder recomputes every tile and the root from the entries.
func checkFolder(f folder, h head) (int, error) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range indexes {
			if i >= int64(len(stored)) {
				return nil, errors.New("a hash beyond the entries")
			}
			out = append(out, stored[i])
		}
		return out, nil
	})
	files := 0
	for _, tile := range tilesOf(-1, h.tree.N) {
		bundle, err := f.read(tile)
		if err != nil {
			return files, err
		}
		list, err := entries(bundle, tile.W)
		if err != nil {
			return files, fmt.Errorf("%s: %v", tilePath(tile), err)
		}
		for i, data := range list {
			hashes, err := tlog.StoredHashesForRecordHash(tile.N*width+int64(i), tlog.RecordHash(data), reader)
			if err != nil {
				return files, err
			}
			stored = append(stored, hashes...)
		}
		files++
	}
	if h.tree.N == 0 {
		return files, nil
	}
	root, err := tlog.TreeHash(h.tree.N, reader)
	if err != nil {
		return files, err
	}
	if root != h.tree.Hash {
		return files, errors.New("the entries do not lead to the checkpoint's root")
	}
	for level := 0; ; level++ {
		tiles := tilesOf(level, h.tree.N)
		if len(tiles) == 0 {
			break
		}
		for _, tile := range tiles {
			want, err := tlog.ReadTileData(tile, reader)
			if err != nil {
				return files, err
			}
			got, err := f.read(tile)
			if err != nil {
				return files, err
			}
			if !bytes.Equal(got, want) {
				return files, fmt.Errorf("%s does not hold the hashes of the entries", tilePath(tile))
			}
			files++
		}
	}
	return files, checkSamples(f, h, reader)
}

// checkSamples proves leaves through Go's authenticating reader.
func checkSamples(f folder, h head, own tlog.HashReader) error {
	through := tlog.TileHashReader(h.tree, f)
	for _, i := range []int64{0, h.tree.N / 3, h.tree.N / 2, h.tree.N - 1} {
		proof, err := tlog.ProveRecord(h.tree.N, i, through)
		if err != nil {
			return err
		}
		leaf, err := own.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, h.tree.N, h.tree.Hash, i, leaf[0]); err != nil {
			return fmt.Errorf("leaf %d: %v", i, err)
		}
	}
	return nil
}

// checkReceipt verifies one tlog-proof@v1 for a leaf held in a file.
func checkReceipt(text string, leaf []byte, verifier note.Verifier) (int64, head, error) {
	var h head
	fail := func(err error) (int64, head, error) { return 0, h, err }
	blank := strings.Index(text, "\n\n")
	if blank < 0 {
		return fail(errors.New("no blank line"))
	}
	lines := strings.Split(text[:blank], "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		return fail(errors.New("another first line"))
	}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		extra := strings.TrimPrefix(lines[0], "extra ")
		raw, err := base64.StdEncoding.Strict().DecodeString(extra)
		if err != nil || base64.StdEncoding.EncodeToString(raw) != extra {
			return fail(errors.New("extra is no canonical base64"))
		}
		lines = lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return fail(errors.New("no index line"))
	}
	index, err := decimal(strings.TrimPrefix(lines[0], "index "))
	if err != nil {
		return fail(err)
	}
	var proof tlog.RecordProof
	if len(lines) > 1+63 {
		return fail(errors.New("more than 63 hashes"))
	}
	for _, line := range lines[1:] {
		h, err := hash(line)
		if err != nil {
			return fail(err)
		}
		proof = append(proof, h)
	}
	if h, err = openCheckpoint([]byte(text[blank+2:]), verifier); err != nil {
		return fail(err)
	}
	return index, h, tlog.CheckRecord(proof, h.tree.N, h.tree.Hash, index, tlog.RecordHash(leaf))
}

// checkPast proves that the folder's tree extends the receipt's.
func checkPast(f folder, old, now head) error {
	if old.tree.N > now.tree.N {
		return fmt.Errorf("its checkpoint of size %d is newer than the folder's", old.tree.N)
	}
	if old.tree.N == 0 {
		return nil
	}
	proof, err := tlog.ProveTree(now.tree.N, old.tree.N, tlog.TileHashReader(now.tree, f))
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, now.tree.N, now.tree.Hash, old.tree.N, old.tree.Hash)
}

// pairs lists the receipts and leaves of a folder.
func pairs(dir string) ([]string, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.tlog-proof"))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s: no receipts", dir)
	}
	var all []string
	for _, name := range names {
		all = append(all, name, strings.TrimSuffix(name, ".tlog-proof")+".leaf")
	}
	return all, err
}

func run(args []string) error {
	if len(args) == 3 {
		found, err := pairs(args[2])
		if err != nil {
			return err
		}
		args = append(args[:2], found...)
	}
	if len(args) < 2 || len(args)%2 != 0 {
		return errors.New("usage: verify <log dir> <vkey> [<receipts dir> | <receipt.tlog-proof> <leaf file> ...]")
	}
	f := folder(args[0])
	verifier, err := note.NewVerifier(strings.TrimSpace(args[1]))
	if err != nil {
		return err
	}
	signed, err := f.get("checkpoint")
	if err != nil {
		return err
	}
	now, err := openCheckpoint(signed, verifier)
	if err != nil {
		return fmt.Errorf("checkpoint: %v", err)
	}
	files, err := checkFolder(f, now)
	if err != nil {
		return fmt.Errorf("log: %v", err)
	}
	for rest := args[2:]; len(rest) > 0; rest = rest[2:] {
		text, err := os.ReadFile(rest[0])
		if err != nil {
			return err
		}
		leaf, err := os.ReadFile(rest[1])
		if err != nil {
			return err
		}
		_, then, err := checkReceipt(string(text), leaf, verifier)
		if err == nil {
			err = checkPast(f, then, now)
		}
		if err != nil {
			return fmt.Errorf("%s: %v", rest[0], err)
		}
	}
	fmt.Printf("go: %s size %d: %d files and %d receipts verify\n", now.origin, now.tree.N, files, (len(args)-2)/2)
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "go: REFUSED:", err)
		os.Exit(1)
	}
}
