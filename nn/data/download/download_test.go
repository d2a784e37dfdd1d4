package download

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// content is what the server has: 100,000 bytes that do not repeat.
var content = func() []byte {
	b := make([]byte, 100_000)
	state := uint32(1)
	for i := range b {
		state = state*1664525 + 1013904223
		b[i] = byte(state >> 24)
	}
	return b
}()

func md5Of(b []byte) string {
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

// server serves content as x.bin, and notes what is asked for. Each request goes through spoil first, with its number from 0;
// it answers for itself if it returns true.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	ranges []string
}

// asked lists the ranges that were asked for.
func (s *server) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ranges)
}

func newServer(t *testing.T, spoil func(n int, w http.ResponseWriter, r *http.Request) bool) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		n := len(s.ranges)
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		s.mu.Unlock()
		if spoil != nil && spoil(n, w, r) {
			return
		}
		http.ServeContent(w, r, "x.bin", time.Time{}, bytes.NewReader(content))
	}))
	t.Cleanup(s.Close)
	return s
}

// cutter passes a limited number of bytes on and then breaks the connection.
type cutter struct {
	http.ResponseWriter
	left int
}

func (c *cutter) Write(p []byte) (int, error) {
	if n := min(len(p), c.left); n < len(p) {
		_, _ = c.ResponseWriter.Write(p[:n])
		c.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	c.left -= len(p)
	return c.ResponseWriter.Write(p)
}

func cutAfter(bytes int) func(n int, w http.ResponseWriter, r *http.Request) bool {
	return func(_ int, w http.ResponseWriter, r *http.Request) bool {
		serve(&cutter{w, bytes}, r)
		return true
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	http.ServeContent(w, r, "x.bin", time.Time{}, bytes.NewReader(content))
}

// source is quick about its pauses.
func (s *server) source() Source { return Source{URL: s.URL, Wait: time.Millisecond} }

func check(t *testing.T, dir string) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(dir, "x.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, content) {
		t.Errorf("%d bytes came, and not the right ones", len(got))
	}
	if _, err := os.Stat(filepath.Join(dir, "x.bin.part")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the part is left: %v", err)
	}
}

func TestWhole(t *testing.T) {
	long := sha256.Sum256(content)
	for _, sum := range []string{md5Of(content), strings.ToUpper(md5Of(content)), hex.EncodeToString(long[:])} {
		s, dir := newServer(t, nil), filepath.Join(t.TempDir(), "made", "for", "it")
		var done []int64
		from := s.source()
		from.URL += "/" // with and without: the same
		from.Progress = func(file string, d, total int64) {
			if file != "x.bin" || total != int64(len(content)) {
				t.Errorf("progress of %s, %d in all", file, total)
			}
			done = append(done, d)
		}
		if err := Files(context.Background(), dir, from, File{"x.bin", sum}); err != nil {
			t.Fatal(err)
		}
		check(t, dir)
		if !slices.IsSorted(done) || len(done) < 2 || done[len(done)-1] != int64(len(content)) {
			t.Errorf("progress %v", done)
		}
		if err := Files(context.Background(), dir, from, File{"x.bin", sum}); err != nil || len(s.asked()) != 1 {
			t.Errorf("what is there was fetched again: %v, %v", s.asked(), err)
		}
	}
}

// However often the connection breaks, each attempt goes on where the last one ended.
func TestBrokenConnections(t *testing.T) {
	s, dir := newServer(t, cutAfter(30_000)), t.TempDir()
	var last int64
	from := s.source()
	from.Progress = func(_ string, done, total int64) {
		if done <= last || total != int64(len(content)) {
			t.Errorf("progress went from %d to %d of %d", last, done, total)
		}
		last = done
	}
	if err := Files(context.Background(), dir, from, File{"x.bin", md5Of(content)}); err != nil {
		t.Fatal(err)
	}
	check(t, dir)
	if want := []string{"", "bytes=30000-", "bytes=60000-", "bytes=90000-"}; !slices.Equal(s.asked(), want) {
		t.Errorf("asked for %q, want %q", s.asked(), want)
	}
}

// A call that was interrupted keeps what came, and the next goes on there.
func TestInterrupted(t *testing.T) {
	s, dir := newServer(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n > 0 {
			return false
		}
		w.Header().Set("Content-Length", "100000")
		_, _ = w.Write(content[:30_000])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return true
	}), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	from := s.source()
	from.Progress = func(_ string, done, _ int64) {
		if done > 20_000 {
			cancel()
		}
	}
	err := Files(ctx, dir, from, File{"x.bin", md5Of(content)})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "the next call goes on there") {
		t.Fatal(err)
	}
	part, err := os.ReadFile(filepath.Join(dir, "x.bin.part"))
	if err != nil || len(part) < 20_000 || !bytes.HasPrefix(content, part) {
		t.Fatalf("%d bytes were kept, %v", len(part), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "x.bin")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a file has its name already: %v", err)
	}
	if err := Files(context.Background(), dir, s.source(), File{"x.bin", md5Of(content)}); err != nil {
		t.Fatal(err)
	}
	check(t, dir)
	if want := fmt.Sprintf("bytes=%d-", len(part)); !slices.Equal(s.asked(), []string{"", want}) {
		t.Errorf("asked for %q", s.asked())
	}
}

func TestPartsThatWereThere(t *testing.T) {
	other := bytes.Repeat([]byte("other "), 100)
	for _, c := range []struct {
		name  string
		part  []byte
		spoil func(int, http.ResponseWriter, *http.Request) bool
		want  []string // ranges
	}{
		{"a part", content[:40_000], nil, []string{"bytes=40000-"}},
		{"all of it", content, nil, []string{"bytes=100000-"}},
		{"more than all", append(slices.Clone(content), 1, 2, 3), nil, []string{"bytes=100003-", ""}},
		{"of another file", other, nil, []string{"bytes=600-", ""}},
		{"of a server that knows no ranges", content[:40_000], func(_ int, w http.ResponseWriter, r *http.Request) bool {
			r.Header.Del("Range")
			return false
		}, []string{"bytes=40000-"}},
		{"nothing", []byte{}, nil, []string{""}},
	} {
		s, dir := newServer(t, c.spoil), t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x.bin.part"), c.part, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Files(context.Background(), dir, s.source(), File{"x.bin", md5Of(content)}); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		check(t, dir)
		if !slices.Equal(s.asked(), c.want) {
			t.Errorf("%s: asked for %q, want %q", c.name, s.asked(), c.want)
		}
	}
}

func TestAnswers(t *testing.T) {
	status := func(codes ...int) func(int, http.ResponseWriter, *http.Request) bool {
		return func(n int, w http.ResponseWriter, _ *http.Request) bool {
			if n < len(codes) {
				w.WriteHeader(codes[n])
			}
			return n < len(codes)
		}
	}
	hang := make(chan struct{})
	defer close(hang)
	for _, c := range []struct {
		name     string
		spoil    func(int, http.ResponseWriter, *http.Request) bool
		attempts int
		want     string // in the error; "": it is fetched
		requests int
		kept     int // bytes of the part
	}{
		{"busy for a while", status(503, 429, 500), 5, "", 4, 0},
		{"busy all the time", status(503, 503, 503, 503), 3, "3 attempts in a row brought nothing; 0 bytes are kept", 3, 0},
		{"not there", status(404), 5, "/x.bin answers 404 Not Found; Source.URL may name another folder", 1, 0},
		{"forbidden", status(403), 5, "answers 403 Forbidden", 1, 0},
		{"nothing comes", func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n > 1 {
				return false
			}
			select {
			case <-r.Context().Done():
			case <-hang:
			}
			return true
		}, 5, "", 3, 0},
		{"nothing ever comes", func(_ int, _ http.ResponseWriter, r *http.Request) bool {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
			return true
		}, 2, "nothing came for", 2, 0},
		{"another file", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
			_, _ = w.Write([]byte("<html>"))
			return true
		}, 5,
			"has the checksum " + md5Of([]byte("<html>")) + " instead of " + md5Of(content) + "; try another Source.URL", 1, 0},
		{"another range", func(n int, w http.ResponseWriter, r *http.Request) bool {
			if n == 0 {
				return cutAfter(10_000)(n, w, r)
			}
			w.Header().Set("Content-Range", "bytes 0-99999/100000")
			w.WriteHeader(http.StatusPartialContent)
			return true
		}, 5, "was asked for the bytes from 10000 on, and answers with Content-Range", 2, 10_000},
		{"each time a byte, then nothing more", func(n int, w http.ResponseWriter, r *http.Request) bool {
			return cutAfter(max(3-n, 0))(n, w, r)
		}, 2, "2 attempts in a row brought nothing; 6 bytes are kept", 5, 6},
	} {
		s, dir := newServer(t, c.spoil), t.TempDir()
		from := s.source()
		if from.Attempts = c.attempts; strings.HasPrefix(c.name, "nothing") {
			from.Stall = 100 * time.Millisecond // the others may take their time
		}
		err := Files(context.Background(), dir, from, File{"x.bin", md5Of(content)})
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
				continue
			}
			check(t, dir)
		} else if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "x.bin: ") {
			t.Errorf("%s: %v; want %q", c.name, err, c.want)
		}
		if len(s.asked()) != c.requests {
			t.Errorf("%s: %d requests, want %d", c.name, len(s.asked()), c.requests)
		}
		if part, _ := os.ReadFile(filepath.Join(dir, "x.bin.part")); len(part) != c.kept {
			t.Errorf("%s: %d bytes are kept, want %d", c.name, len(part), c.kept)
		}
		if _, err := os.Stat(filepath.Join(dir, "x.bin")); c.want != "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: there is a file: %v", c.name, err)
		}
	}
}

func TestWhatIsThereIsNotTouched(t *testing.T) {
	s, dir := newServer(t, nil), t.TempDir()
	path := filepath.Join(dir, "x.bin")
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	err := Files(context.Background(), dir, s.source(), File{"x.bin", md5Of(content)})
	if err == nil || !strings.Contains(err.Error(), "is there already, but its checksum is "+md5Of([]byte("mine"))) || len(s.asked()) > 0 {
		t.Errorf("%v, %d requests", err, len(s.asked()))
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "mine" {
		t.Errorf("it is now %q, %v", got, err)
	}
	for name, do := range map[string]func() error{
		"no URL":      func() error { return Files(context.Background(), dir, Source{}, File{"x.bin", md5Of(content)}) },
		"no checksum": func() error { return Files(context.Background(), dir, s.source(), File{"x.bin", ""}) },
		"half a sum":  func() error { return Files(context.Background(), dir, s.source(), File{"x.bin", "abcd"}) },
		"no digits": func() error {
			return Files(context.Background(), dir, s.source(), File{"x.bin", strings.Repeat("x", 32)})
		},
		"a path":    func() error { return Files(context.Background(), dir, s.source(), File{"../x.bin", md5Of(content)}) },
		"no name":   func() error { return Files(context.Background(), dir, s.source(), File{"", md5Of(content)}) },
		"no folder": func() error { return Files(context.Background(), path, s.source(), File{"y.bin", md5Of(content)}) },
		"no server": func() error {
			return Files(context.Background(), t.TempDir(), Source{URL: "http://127.0.0.1:1", Wait: 1, Attempts: 2}, File{"x.bin", md5Of(content)})
		},
		"no such thing": func() error {
			return Files(context.Background(), t.TempDir(), Source{URL: "://"}, File{"x.bin", md5Of(content)})
		},
	} {
		if do() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// MNIST asks for its four files by name, and believes no others.
func TestMNIST(t *testing.T) {
	var asked []string
	s := newServer(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		asked = append(asked, r.URL.Path)
		return false
	})
	if err := MNIST(context.Background(), t.TempDir(), s.source()); err == nil || !strings.Contains(err.Error(), "instead of f68b3c2dcbeaaa9fbdd348bbdeb94873") {
		t.Errorf("other content: %v", err)
	}
	if !slices.Equal(asked, []string{"/train-images-idx3-ubyte.gz"}) {
		t.Errorf("asked for %q", asked)
	}
	dir := os.Getenv("TAPIR_MNIST")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "data", "mnist")
	}
	for _, f := range mnist[2:] {
		sum, err := sumOf(filepath.Join(dir, f.Name), f.Sum)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skipf("MNIST's own files are not here (%v); TAPIR_MNIST may name their folder", err)
		}
		if err != nil || sum != f.Sum {
			t.Errorf("%s has the checksum %s, want %s; %v", f.Name, sum, f.Sum, err)
		}
	}
}
