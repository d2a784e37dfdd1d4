// Package download fetches data sets that are too large to be embedded. It stands apart from nn/data, so that a program that
// never downloads links no network code.
//
// A file is either there whole and with the right checksum, or not there: it grows under another name, is resumed where it broke
// off, also by a later run, and is renamed at last.
//
//	err := download.MNIST(ctx, "mnist", download.Source{})
//	train, test, err := data.MNIST("mnist", graph.Float32)
package download

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"
	"github.com/tapir-ml/tapir/graph"
)

// Source says where files come from, and how to wait for them. The zero value has a sensible answer to each.
type Source struct {
	URL    string       // of the folder; "": the one that the set names
	Client *http.Client // nil: http.DefaultClient

	// Attempts is how many times in a row may fail without a byte that came; 0: 5. Between them is a pause, Wait at first and
	// each time twice as long; 0: a second. A connection over which nothing came for Stall is given up; 0: a minute.
	Attempts    int
	Wait, Stall time.Duration

	// Progress is called while bytes arrive, on the goroutine of the caller: done counts those that were there already; total is
	// −1 if the server does not tell it.
	Progress func(file string, done, total int64)
}

// File is a file to be fetched.
type File struct {
	Name string // in the source's folder, and in that where it goes
	Sum  string // MD5 or SHA-256 in hexadecimal digits
}

// MNIST fetches the four files of MNIST that data.MNIST reads, 11.6 MB, those that are not in the folder dir already. The source's
// own URL is https://ossci-datasets.s3.amazonaws.com/mnist/.
func MNIST(ctx context.Context, dir string, s Source) error {
	if s.URL == "" {
		s.URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
	}
	return Files(ctx, dir, s, mnist...)
}

var mnist = []File{
	{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
	{"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
	{"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
	{"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"},
}

// Files fetches files from s.URL into the folder dir, which it makes. One that is there with the right checksum is left alone.
//
// It fails if one is there with another checksum (it is not touched), if the server refuses, if what came whole has another
// checksum, if the attempts are used up, and if ctx ends. What came of a file then stays as NAME.part, and the next call goes on
// there. Two calls at the same time must not fetch to the same folder.
func Files(ctx context.Context, dir string, s Source, files ...File) error {
	if s.URL == "" {
		return graph.Errorf(graph.ErrValue, "no URL to fetch from; name the folder in Source.URL")
	}
	for _, f := range files {
		if _, err := newHash(f.Sum); err != nil || f.Name == "" || f.Name != filepath.Base(f.Name) {
			return graph.Errorf(graph.ErrValue, "file %q with checksum %q; it takes a plain name and 32 (MD5) or 64 (SHA-256) hexadecimal digits", f.Name, f.Sum)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := s.fetch(ctx, dir, f); err != nil {
			return errors.WithMessage(err, f.Name)
		}
	}
	return nil
}

func (s Source) fetch(ctx context.Context, dir string, f File) error {
	path := filepath.Join(dir, f.Name)
	switch sum, err := sumOf(path, f.Sum); {
	case err == nil && sum == strings.ToLower(f.Sum):
		return nil
	case err == nil:
		return graph.Errorf(graph.ErrValue, "%s is there already, but its checksum is %s instead of %s; remove it to have it fetched", path, sum, f.Sum)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	part := path + ".part"
	for {
		began, err := s.complete(ctx, part, f)
		if err != nil {
			return err
		}
		sum, err := sumOf(part, f.Sum)
		if err != nil {
			return err
		}
		if sum == strings.ToLower(f.Sum) {
			break
		}
		if err := os.Remove(part); err != nil {
			return err
		}
		if began == 0 {
			return graph.Errorf(graph.ErrValue, "what came from %s has the checksum %s instead of %s; try another Source.URL", s.urlOf(f), sum, f.Sum)
		}
		// What was there before may have been another file's: once more, from the start.
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	if d, err := os.Open(dir); err == nil { // so that the new name outlives a power cut; not every system can
		_ = d.Sync()
		_ = d.Close()
	}
	return nil
}

// complete makes part whole, in as many attempts as it takes, and returns how many bytes were there when it began.
func (s Source) complete(ctx context.Context, part string, f File) (began int64, err error) {
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() {
		if failed := out.Close(); err == nil {
			err = failed
		}
	}()
	at, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	began = at
	wait, failures := orElse(s.Wait, time.Second), 0
	for {
		next, err := s.attempt(ctx, out, at, f)
		var final *refusal
		switch {
		case err == nil:
			return began, out.Sync()
		case ctx.Err() != nil:
			return began, errors.WithMessagef(context.Cause(ctx), "after %d bytes; the next call goes on there", next)
		case errors.As(err, &final):
			return began, err
		}
		if failures++; next != at {
			failures, wait = 0, orElse(s.Wait, time.Second)
		}
		if at = next; failures >= max(orElse(s.Attempts, 5), 1) {
			return began, errors.WithMessagef(err, "%d attempts in a row brought nothing; %d bytes are kept in %s, where the next call goes on", failures, at, part)
		}
		select {
		case <-time.After(wait):
			wait *= 2
		case <-ctx.Done():
		}
	}
}

// refusal is an answer that another attempt would only repeat.
type refusal struct{ message string }

func (r *refusal) Error() string { return r.message }

// attempt asks for the bytes from at on and writes them to out. It returns how many bytes out then has, and nil if they are all.
func (s Source) attempt(parent context.Context, out *os.File, at int64, f File) (int64, error) {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	stall := orElse(s.Stall, time.Minute)
	idle := time.AfterFunc(stall, func() { cancel(fmt.Errorf("nothing came for %v", stall)) })
	defer idle.Stop()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.urlOf(f), nil)
	if err != nil {
		return at, &refusal{err.Error()}
	}
	request.Header.Set("Accept-Encoding", "identity") // the file's own bytes
	if at > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(request)
	if err != nil {
		return at, causeOf(ctx, err)
	}
	defer answer.Body.Close()

	total := int64(-1)
	switch answer.StatusCode {
	case http.StatusOK: // from the start, whatever was asked for
		at, total = 0, answer.ContentLength
	case http.StatusPartialContent:
		var from, to int64
		if n, _ := fmt.Sscanf(answer.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total); n < 2 || from != at {
			return at, &refusal{fmt.Sprintf("%s was asked for the bytes from %d on, and answers with Content-Range %q", s.urlOf(f), at, answer.Header.Get("Content-Range"))}
		}
	case http.StatusRequestedRangeNotSatisfiable: // there is nothing after at
		if _, err := fmt.Sscanf(answer.Header.Get("Content-Range"), "bytes */%d", &total); err == nil && total == at && at > 0 {
			return at, nil
		}
		return 0, errors.WithMessage(fmt.Errorf("the server has fewer than %d bytes", at), restart(out))
	default:
		err := fmt.Errorf("%s answers %s", s.urlOf(f), answer.Status)
		if c := answer.StatusCode; c/100 == 5 || c == http.StatusRequestTimeout || c == http.StatusTooManyRequests {
			return at, err
		}
		return at, &refusal{err.Error() + "; Source.URL may name another folder"}
	}
	if err := out.Truncate(at); err != nil {
		return at, &refusal{err.Error()}
	}
	if _, err := out.Seek(at, io.SeekStart); err != nil {
		return at, &refusal{err.Error()}
	}
	buffer := make([]byte, 1<<16)
	for {
		n, err := answer.Body.Read(buffer)
		if n > 0 {
			idle.Reset(stall)
			if _, err := out.Write(buffer[:n]); err != nil {
				return at, &refusal{err.Error()}
			}
			at += int64(n)
			if s.Progress != nil {
				s.Progress(f.Name, at, total)
			}
		}
		switch {
		case err == io.EOF && total >= 0 && at < total: // a server that closes early and says nothing of it
			return at, io.ErrUnexpectedEOF
		case err == io.EOF:
			return at, nil
		case err != nil:
			return at, causeOf(ctx, err)
		}
	}
}

// restart empties out, and says so.
func restart(out *os.File) string {
	if err := out.Truncate(0); err != nil {
		return err.Error()
	}
	return "from the start again"
}

// causeOf is why ctx ended, if it did, else err.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (s Source) urlOf(f File) string { return strings.TrimSuffix(s.URL, "/") + "/" + f.Name }

func orElse[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// newHash returns the function that makes such checksums.
func newHash(sum string) (hash.Hash, error) {
	raw, err := hex.DecodeString(sum)
	switch {
	case err != nil:
		return nil, err
	case len(raw) == md5.Size:
		return md5.New(), nil // against damage; against malice a set should name its SHA-256
	case len(raw) == sha256.Size:
		return sha256.New(), nil
	}
	return nil, fmt.Errorf("%d digits", len(sum))
}

// sumOf returns the checksum of a file, of the kind that like is.
func sumOf(path, like string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h, err := newHash(like)
	if err != nil {
		return "", err
	}
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
