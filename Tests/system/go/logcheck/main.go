// Logcheck reads a log that a node serves as C2SP tlog-tiles over mutual TLS, and verifies it with Go's own
// golang.org/x/mod/sumdb: the checkpoint's signature, every entry's inclusion, and that an older checkpoint's tree
// begins the newer one's. It prints what it found as JSON.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Height of a tile: 2^8 hashes.
const height = 8

// Server is a log's prefix, and how it is reached.
type server struct {
	client *http.Client
	prefix string
	reads  int
}

func (s *server) get(path string) ([]byte, error) {
	response, err := s.client.Get(s.prefix + "/" + path)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 32<<20))
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, response.Status)
	}
	s.reads++
	return body, nil
}

// Height is that of the tiles.
func (s *server) Height() int { return height }

// SaveTiles does nothing: there is no cache.
func (s *server) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles fetches tiles. The paths of sumdb have the height in them, those of C2SP do not.
func (s *server) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
		body, err := s.get(path)
		if err != nil {
			return nil, err
		}
		data[i] = body
	}
	return data, nil
}

// Entries reads all entries of a tree from its bundles.
func (s *server) entries(size int64) ([][]byte, error) {
	var entries [][]byte
	for first := int64(0); first < size; first += 1 << height {
		width := size - first
		if width > 1<<height {
			width = 1 << height
		}
		tile := tlog.Tile{H: height, L: -1, N: first >> height, W: int(width)}
		path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
		bundle, err := s.get(path)
		if err != nil {
			return nil, err
		}
		for count := int64(0); count < width; count++ {
			if len(bundle) < 2 {
				return nil, fmt.Errorf("%s: ends within an entry's length", path)
			}
			length := int(binary.BigEndian.Uint16(bundle))
			if len(bundle) < 2+length {
				return nil, fmt.Errorf("%s: ends within an entry", path)
			}
			entries = append(entries, bundle[2:2+length])
			bundle = bundle[2+length:]
		}
		if len(bundle) != 0 {
			return nil, fmt.Errorf("%s: %d bytes follow the last entry", path, len(bundle))
		}
	}
	return entries, nil
}

func open(text []byte, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	// A checkpoint is sumdb's tree note with another first line: the log's origin instead of "go.sum database tree".
	lines := strings.SplitN(opened.Text, "\n", 2)
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("a checkpoint of %q instead of %q", lines[0], verifier.Name())
	}
	return tlog.ParseTree([]byte("go.sum database tree\n" + lines[1]))
}

func client(ca, chain, key string) (*http.Client, error) {
	authority, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New(ca + ": no certificate")
	}
	own, err := tls.LoadX509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	return &http.Client{
		Timeout: 20 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13,
		}},
	}, nil
}

type report struct {
	Size    int64    `json:"size"`
	Root    string   `json:"root"`
	OldSize int64    `json:"oldSize"`
	Leaves  []string `json:"leaves"`
	Reads   int      `json:"reads"`
}

func check(s *server, vkey string, old []byte) (*report, error) {
	text, err := s.get("checkpoint")
	if err != nil {
		return nil, err
	}
	tree, err := open(text, vkey)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint: %w", err)
	}
	reader := tlog.TileHashReader(tree, s)
	entries, err := s.entries(tree.N)
	if err != nil {
		return nil, err
	}
	result := &report{Size: tree.N, Root: tree.Hash.String()}
	for index, entry := range entries {
		leaf := tlog.RecordHash(entry)
		result.Leaves = append(result.Leaves, leaf.String())
		// Every entry would be quadratic in requests; those at the edges of tiles are the ones that go wrong.
		if edge := index % 256; edge > 1 && edge < 254 && index+2 < len(entries) {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, int64(index), reader)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, int64(index), leaf); err != nil {
			return nil, fmt.Errorf("entry %d: %w", index, err)
		}
	}
	if len(old) != 0 {
		before, err := open(old, vkey)
		if err != nil {
			return nil, fmt.Errorf("the older checkpoint: %w", err)
		}
		proof, err := tlog.ProveTree(tree.N, before.N, reader)
		if err != nil {
			return nil, fmt.Errorf("consistency: %w", err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash); err != nil {
			return nil, fmt.Errorf("consistency: %w", err)
		}
		result.OldSize = before.N
	}
	result.Reads = s.reads
	return result, nil
}

func main() {
	prefix := flag.String("prefix", "", "the log's prefix: https://host:port/logs/ORIGIN")
	vkey := flag.String("vkey", "", "the log's key, from the charter")
	ca := flag.String("ca", "", "the authority of the member whose node is asked (PEM)")
	chain := flag.String("chain", "", "our leaf and authority (PEM)")
	key := flag.String("key", "", "our leaf's key (PEM)")
	older := flag.String("old", "", "a file with an older checkpoint of the log")
	flag.Parse()
	err := func() error {
		client, err := client(*ca, *chain, *key)
		if err != nil {
			return err
		}
		var old []byte
		if *older != "" {
			if old, err = os.ReadFile(*older); err != nil {
				return err
			}
		}
		result, err := check(&server{client: client, prefix: *prefix}, *vkey, old)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(result)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "logcheck:", err)
		os.Exit(1)
	}
}
