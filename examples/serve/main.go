// Command serve answers over HTTP what a picture shows: one program, one copy of the weights, and a pool of machines. model.go is
// the network, pool.go the machines, server.go the requests.
//
//	go run ./examples/serve
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/tapir-ml/tapir/examples/internal/program"
)

func main() { newProgram(func(net.Addr) {}).Main() }

// newProgram is the program; it calls ready once it listens.
func newProgram(ready func(net.Addr)) program.Program {
	addr, machines, epochs, seed := "localhost:8080", 2*runtime.GOMAXPROCS(0), 60, uint64(1)
	return program.Program{
		Name: "serve", Usage: usage,
		Flags: func(f *program.Flags) {
			f.Text(&addr, "addr")
			f.Count(&machines, "machines")
			f.Count(&epochs, "epochs")
			f.Seed(&seed, "seed")
		},
		Run: func(ctx context.Context, stdout io.Writer) error {
			listener, err := net.Listen("tcp", addr) // before the training: an address that is taken should not cost a wait
			if err != nil {
				return fmt.Errorf("-addr %s: %w", addr, err)
			}
			defer listener.Close()
			m, err := newModel(seed)
			if err != nil {
				return err
			}
			learner, err := m.learner()
			if err != nil {
				return err
			}
			began := time.Now()
			if err := m.train(ctx, learner, epochs, seed); err != nil {
				return err
			}
			s, err := newServer(m, learner, machines)
			if err != nil {
				return err
			}
			fmt.Fprintf(stdout, "Trained in %.1f s. %d machines answer at http://%s; the page there reads what you draw.\n\n%s\nCtrl-C ends.\n",
				time.Since(began).Seconds(), machines, listener.Addr(), fmt.Sprintf(hints, listener.Addr()))
			ready(listener.Addr())
			return serve(ctx, listener, s, stdout)
		},
	}
}

const hints = `  curl http://%[1]s/status
  curl http://%[1]s/predict -d '{"images": [[64 numbers from 0 to 16, row by row]]}'
`

// serve answers until ctx is done, then lets the requests under way finish.
func serve(ctx context.Context, l net.Listener, s *server, stdout io.Writer) error {
	h := listening("", s.handler())
	ended := make(chan error, 1)
	go func() { ended <- h.Serve(l) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), slowest)
	defer cancel()
	err := h.Shutdown(last)
	if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	fmt.Fprintf(stdout, "%d images were read.\n", s.answered.Load())
	return err
}

const usage = `Trains a network to read handwritten digits, then answers over HTTP with a pool of machines that
share its weights. The page at / reads what is drawn there, and learns from corrections.

usage: go run ./examples/serve [flags]

  -addr A      where to listen                            (default localhost:8080)
  -machines N  how many requests are computed at a time   (default twice the processors)
  -epochs N    passes over the digits before serving      (default 60)
  -seed N      decides the weights to start from          (default 1)

  GET  /         a page to draw on
  GET  /status   counts, as JSON
  POST /predict  {"images": [[64 numbers], …]}                  1 to 64 images
  POST /learn    {"images": [[64 numbers], …], "digits": [3]}   one step of training

Ctrl-C ends it once the requests under way are answered.
`
