package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/vm"
)

const (
	mostBytes = 1 << 20          // of a request
	patience  = 2 * time.Second  // how long a request waits for a machine
	slowest   = 10 * time.Second // how long a client may take to send or to read
)

// server answers over HTTP. Its methods may run at the same time.
type server struct {
	model    *model
	pool     *pool
	machines int
	patience time.Duration

	learning sync.Mutex // guards learner
	learner  *vm.Machine

	answered, learned, refused, failed atomic.Int64
}

func newServer(m *model, learner *vm.Machine, machines int) (*server, error) {
	p, err := newPool(m, machines)
	return &server{model: m, pool: p, machines: machines, patience: patience, learner: learner}, err
}

//go:embed page.html
var page []byte

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write(page)
	})
	mux.HandleFunc("GET /status", s.status)
	mux.HandleFunc("POST /predict", s.predict)
	mux.HandleFunc("POST /learn", s.learn)
	return mux
}

// listening is an http.Server with time limits: one without them waits for ever for a client that says nothing.
func listening(addr string, h http.Handler) *http.Server {
	return &http.Server{Addr: addr, Handler: h, ReadHeaderTimeout: slowest, ReadTimeout: slowest, WriteTimeout: slowest, IdleTimeout: time.Minute}
}

type request struct {
	Images [][]float32 `json:"images"` // of 64 numbers from 0 to 16, row by row
	Digits []int64     `json:"digits"` // what they are; only /learn wants to know
}

type prediction struct {
	Digit         int       `json:"digit"`
	Probabilities []float32 `json:"probabilities"`
}

func (s *server) predict(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := read(w, r, &q); err != nil {
		s.fail(w, err)
		return
	}
	if len(q.Digits) > 0 {
		s.fail(w, unfit("digits are for /learn; /predict says what they are"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.patience)
	worker, err := s.pool.take(ctx)
	cancel()
	if err != nil {
		s.fail(w, busy{})
		return
	}
	answers, err := worker.answer(r.Context(), q.Images)
	s.pool.giveBack(worker)
	if err != nil {
		s.fail(w, err)
		return
	}
	s.answered.Add(int64(len(answers)))
	reply(w, http.StatusOK, map[string]any{"predictions": answers})
}

// answer reads the images.
func (w *worker) answer(ctx context.Context, images [][]float32) ([]prediction, error) {
	for i, image := range images {
		copy(w.images.F32()[i*pixels:], image)
	}
	p, err := w.predict(ctx, len(images))
	if err != nil {
		return nil, err
	}
	answers := make([]prediction, len(images))
	for i := range answers {
		row := append([]float32(nil), p[i*classes:(i+1)*classes]...)
		answers[i] = prediction{largest(row), row}
	}
	return answers, nil
}

func largest(row []float32) (at int) {
	for i, v := range row {
		if v > row[at] {
			at = i
		}
	}
	return at
}

// learn makes one step with images whose digits the client knows, while others are answered.
func (s *server) learn(w http.ResponseWriter, r *http.Request) {
	var q request
	err := read(w, r, &q)
	if err == nil && len(q.Digits) != len(q.Images) {
		err = unfit(fmt.Sprintf("%d images but %d digits", len(q.Images), len(q.Digits)))
	}
	for _, d := range q.Digits {
		if d < 0 || d >= classes {
			err = unfit(fmt.Sprintf("%d is no digit", d))
		}
	}
	if err != nil {
		s.fail(w, err)
		return
	}
	images := graph.NewArray(graph.Float32, len(q.Images), pixels)
	for i, image := range q.Images {
		copy(images.F32()[i*pixels:], image)
	}
	s.learning.Lock()
	loss, err := s.model.learn(r.Context(), s.learner, images, q.Digits)
	s.learning.Unlock()
	if err != nil {
		s.fail(w, err)
		return
	}
	s.learned.Add(int64(len(q.Images)))
	reply(w, http.StatusOK, map[string]any{"loss": loss})
}

func (s *server) status(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{
		"machines": s.machines, "idle": len(s.pool.idle), "weights": s.model.state.Version(),
		"answered": s.answered.Load(), "learned": s.learned.Load(), "refused": s.refused.Load(), "failed": s.failed.Load(),
	})
}

// unfit is an error of the client's.
type unfit string

func (e unfit) Error() string { return string(e) }

// busy is said to a client for whom no machine became free in time.
type busy struct{}

func (busy) Error() string { return "all machines are busy; try again" }

// read decodes a request, and checks it so far that a machine takes it.
func read(w http.ResponseWriter, r *http.Request, q *request) error {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(q); err != nil {
		return unfit("want {\"images\": [[64 numbers], …]}: " + err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return unfit("there is more behind the request")
	}
	if n := len(q.Images); n < 1 || n > batchLimit {
		return unfit(fmt.Sprintf("%d images; want 1 to %d", n, batchLimit))
	}
	for i, image := range q.Images {
		if len(image) != pixels {
			return unfit(fmt.Sprintf("image %d has %d numbers; want %d", i, len(image), pixels))
		}
		for j, v := range image {
			if v < 0 || v > mostInk {
				return unfit(fmt.Sprintf("number %d of image %d is %v; want 0 to %d", j, i, v, mostInk))
			}
		}
	}
	return nil
}

// fail answers with an error.
func (s *server) fail(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch {
	case errors.As(err, new(unfit)):
		status = http.StatusBadRequest
		s.refused.Add(1)
	case errors.As(err, new(busy)):
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "1")
		s.refused.Add(1)
	default:
		s.failed.Add(1)
	}
	reply(w, status, map[string]any{"error": err.Error()})
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that is gone cannot be told
}
