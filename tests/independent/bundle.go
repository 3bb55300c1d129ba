// bundle checks an evidence bundle with Go's own transparency log packages and
// standard library, and none of Samband's code.
//
//	bundle <bundle.tar> <vkey>
//
// It opens every opened entry against its leaf, hashes the range from its left
// edge on, lets golang.org/x/mod/sumdb verify the signed head and the proof from
// the range's end to it, and compares what the table for machines says of each
// record with the opened text, and the other table with that one.
//
// Build: GO111MODULE=off GOPATH=/usr/share/gocode go build bundle.go
package main

import (
	"archive/tar"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

var names = []string{
	"README.txt", "manifest.txt", "log.vkey", "checkpoint", "edge.txt",
	"consistency.txt", "entries.txt", "records.jsonl", "records.csv",
}

// members reads the nine files, which stand in one order and alone.
func members(path string) (map[string][]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	reader, found := tar.NewReader(file), map[string][]byte{}
	for _, name := range names {
		header, err := reader.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %v", name, err)
		}
		if header.Name != name || header.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("%q stands where %s should be", header.Name, name)
		}
		if found[name], err = io.ReadAll(reader); err != nil {
			return nil, err
		}
	}
	if _, err := reader.Next(); err != io.EOF {
		return nil, errors.New("there is more than nine files")
	}
	return found, nil
}

func decimal(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != text {
		return 0, fmt.Errorf("%q is no plain decimal number", text)
	}
	return n, nil
}

func unbase(text string) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || base64.StdEncoding.EncodeToString(raw) != text {
		return nil, errors.New("no canonical base64")
	}
	return raw, nil
}

func hashes(text []byte) ([]tlog.Hash, error) {
	var all []tlog.Hash
	for _, line := range strings.Split(strings.TrimSuffix(string(text), "\n"), "\n") {
		if line == "" && len(text) == 0 {
			break
		}
		raw, err := unbase(line)
		if err != nil || len(raw) != tlog.HashSize {
			return nil, fmt.Errorf("%q is no hash", line)
		}
		var h tlog.Hash
		copy(h[:], raw)
		all = append(all, h)
	}
	return all, nil
}

func mac(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, part := range parts {
		h.Write(part)
	}
	return h.Sum(nil)
}

// open gives the leaf that an opening opens, and the record's text.
func open(opening []byte) ([]byte, string, error) {
	if len(opening) < 67 || opening[0] != 2 {
		return nil, "", errors.New("an opening of another kind")
	}
	length := int(binary.BigEndian.Uint16(opening[65:67]))
	if len(opening) < 67+length {
		return nil, "", errors.New("an opening that is cut short")
	}
	sender, gateway := opening[67:67+length], opening[67+length:]
	leaf := append([]byte{1}, mac(opening[1:33], sender, mac(opening[33:65], gateway))...)
	return leaf, string(sender) + string(gateway), nil
}

// stack is the complete subtrees of a tree, largest first.
type stack struct {
	levels []int
	nodes  []tlog.Hash
}

func (s *stack) push(level int, node tlog.Hash) {
	for n := len(s.levels); n > 0 && s.levels[n-1] == level; n = len(s.levels) {
		node = tlog.NodeHash(s.nodes[n-1], node)
		s.levels, s.nodes = s.levels[:n-1], s.nodes[:n-1]
		level++
	}
	s.levels, s.nodes = append(s.levels, level), append(s.nodes, node)
}

func (s *stack) root() tlog.Hash {
	root := s.nodes[len(s.nodes)-1]
	for n := len(s.nodes) - 2; n >= 0; n-- {
		root = tlog.NodeHash(s.nodes[n], root)
	}
	return root
}

func field(text, name string) string {
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, name+"=") {
			return line[len(name)+1:]
		}
	}
	return ""
}

// sameRow compares a line of records.jsonl with the opened text.
func sameRow(line string, index int64, text string) error {
	var row map[string]any
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	if err := decoder.Decode(&row); err != nil {
		return err
	}
	if row["index"] != json.Number(strconv.FormatInt(index, 10)) {
		return errors.New("another index")
	}
	for _, name := range []string{
		"event", "time", "actor", "message_id", "replaces", "content_commit", "case_ref", "requisition_id", "key_label", "sender", "recipient", "note",
	} {
		said, _ := row[name].(string)
		if said != field(text, name) {
			return fmt.Errorf("%s is %q and the opening says %q", name, said, field(text, name))
		}
	}
	for _, name := range []string{"about", "reason", "count"} {
		said, _ := row[name].(json.Number)
		if said.String() != field(text, name) {
			return fmt.Errorf("%s is %q and the opening says %q", name, said, field(text, name))
		}
	}
	word, _ := row["reason_code"].(string)
	return sameWord(word, field(text, "event"), field(text, "reason"))
}

// words for the reasons of these events, from number 1 on.
var words = map[string][]string{
	"NOTICE_WITHDRAWN": {"SENT_IN_ERROR", "WRONG_SUBJECT", "WRONG_MUNICIPALITY", "SUBJECT_MOVED", "CONDITION_REVOKED", "CASE_TRANSFERRED"},
	"REPORT_WITHDRAWN": {"SENT_IN_ERROR", "WRONG_CASE"},
	"RESULT_WITHDRAWN": {"SENT_IN_ERROR", "WRONG_SAMPLE", "ANALYSIS_ERROR"},
	"NOTICE_RETURNED":  {"NOT_STAYING_HERE", "CANNOT_IDENTIFY"},
	"HOLD_PLACED":      {"SUPERVISORY_INSPECTION", "COMPLAINT", "COURT_PROCEEDINGS", "DATA_SUBJECT_REQUEST", "SECURITY_INCIDENT"},
}

// sameWord compares the word for a reason with its number in the opening.
func sameWord(said, event, number string) error {
	if number == "" && said != "" {
		return errors.New("a word for a reason that there is none of")
	}
	list, known := words[event]
	if !known || number == "" {
		return nil
	}
	want := ""
	if n, err := strconv.Atoi(number); err == nil && n >= 1 && n <= len(list) {
		want = list[n-1]
	}
	if said != want {
		return fmt.Errorf("reason_code is %q and that reason is %q", said, want)
	}
	return nil
}

// sameTable compares the two tables, line by line: what a record is in the one it is in the other.
func sameTable(table, jsonl []byte) error {
	lines, err := csv.NewReader(bytes.NewReader(table)).ReadAll()
	if err != nil {
		return err
	}
	rows := strings.Split(strings.TrimSuffix(string(jsonl), "\n"), "\n")
	if len(jsonl) == 0 {
		rows = nil
	}
	if len(lines) != len(rows)+1 {
		return errors.New("another number of records")
	}
	for at, line := range rows {
		var row map[string]any
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.UseNumber()
		if err := decoder.Decode(&row); err != nil {
			return err
		}
		for column, name := range lines[0] {
			want := ""
			if value, there := row[name]; there {
				want = fmt.Sprint(value)
			}
			// What a spreadsheet would take for a formula has an apostrophe in front.
			if want != "" && strings.ContainsRune("=+-@\t", rune(want[0])) {
				want = "'" + want
			}
			if lines[at+1][column] != want {
				return fmt.Errorf("record %d: %s is %q and records.jsonl says %q", at+1, name, lines[at+1][column], want)
			}
		}
	}
	return nil
}

func run(path, key string) error {
	files, err := members(path)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return err
	}
	if strings.TrimSpace(string(files["log.vkey"])) != strings.TrimSpace(key) {
		return errors.New("log.vkey is not the given key")
	}
	signed, err := note.Open(files["checkpoint"], note.VerifierList(verifier))
	if err != nil {
		return fmt.Errorf("checkpoint: %v", err)
	}
	head := strings.Split(signed.Text, "\n")
	if len(head) != 4 || head[0] != verifier.Name() {
		return errors.New("the checkpoint is of another log")
	}
	size, err := decimal(head[1])
	if err != nil {
		return err
	}
	raw, err := unbase(head[2])
	if err != nil || len(raw) != tlog.HashSize {
		return errors.New("the checkpoint holds no root")
	}
	var root tlog.Hash
	copy(root[:], raw)
	manifest := string(files["manifest.txt"])
	from, errFrom := decimal(field(manifest, "from_index"))
	to, errTo := decimal(field(manifest, "to_index"))
	if errFrom != nil || errTo != nil || from >= to || to > size || field(manifest, "size") != head[1] {
		return errors.New("the manifest's numbers do not belong together")
	}
	edge, err := hashes(files["edge.txt"])
	if err != nil {
		return fmt.Errorf("edge.txt: %v", err)
	}
	var tree stack
	for level := 62; level >= 0; level-- {
		if from>>level&1 == 1 {
			if len(tree.nodes) == len(edge) {
				return errors.New("edge.txt holds too few hashes")
			}
			tree.push(level, edge[len(tree.nodes)])
		}
	}
	if len(tree.nodes) != len(edge) {
		return errors.New("edge.txt holds too many hashes")
	}
	ofCase, ref := strings.Contains(manifest, "\ncase_ref="), field(manifest, "case_ref")
	rows := strings.SplitAfter(string(files["records.jsonl"]), "\n")
	next, opened, openOfCase, erased, closed := from, 0, 0, 0, 0
	for _, line := range strings.Split(strings.TrimSuffix(string(files["entries.txt"]), "\n"), "\n") {
		fail := func(err error) error { return fmt.Errorf("entry %d: %v", next, err) }
		parts := strings.Split(line, " ")
		if len(parts) < 3 || parts[0] != strconv.FormatInt(next, 10) {
			return fail(errors.New("another stands in its place"))
		}
		leaf, err := unbase(parts[2])
		if err != nil {
			return fail(err)
		}
		switch {
		case parts[1] == "open" && len(parts) == 4:
			opening, err := unbase(parts[3])
			if err != nil {
				return fail(err)
			}
			made, text, err := open(opening)
			if err != nil {
				return fail(err)
			}
			if !bytes.Equal(made, leaf) {
				return fail(errors.New("it does not open to its leaf"))
			}
			// A succession goes with every case: it tells whose the case is.
			isOfCase := ref != "" && field(text, "case_ref") == ref
			if ofCase && !isOfCase && field(text, "event") != "SUCCEEDED" {
				return fail(errors.New("it is open and not of the case that the manifest names"))
			}
			if isOfCase {
				openOfCase++
			}
			if opened >= len(rows) {
				return fail(errors.New("records.jsonl does not hold it"))
			}
			if err := sameRow(rows[opened], next, text); err != nil {
				return fail(fmt.Errorf("records.jsonl: %v", err))
			}
			opened++
		case parts[1] == "erased" && len(parts) == 3:
			erased++
		case parts[1] == "closed" && len(parts) == 3:
			closed++
		default:
			return fail(errors.New("a state of another kind"))
		}
		tree.push(0, tlog.RecordHash(leaf))
		next++
	}
	counted := fmt.Sprintf("open=%d\nerased=%d\nclosed=%d\n", opened, erased, closed)
	if next != to || !strings.HasSuffix(manifest, counted) || len(rows) != opened+1 || rows[opened] != "" {
		return errors.New("the manifest or records.jsonl counts other entries")
	}
	if ofCase && openOfCase == 0 {
		return errors.New("a bundle of a case opens none of its records")
	}
	if err := sameTable(files["records.csv"], files["records.jsonl"]); err != nil {
		return fmt.Errorf("records.csv: %v", err)
	}
	consistency, err := hashes(files["consistency.txt"])
	if err != nil {
		return fmt.Errorf("consistency.txt: %v", err)
	}
	if err := tlog.CheckTree(tlog.TreeProof(consistency), size, root, to, tree.root()); err != nil {
		return fmt.Errorf("the leaves do not lead to the signed root: %v", err)
	}
	fmt.Printf("go: bundle of entries %d to %d: %d opened, %d leaves verify (golang.org/x/mod/sumdb)\n", from, to-1, opened, to-from)
	return nil
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: bundle <bundle.tar> <vkey>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintf(os.Stderr, "go: REFUSED: %v\n", err)
		os.Exit(1)
	}
}
