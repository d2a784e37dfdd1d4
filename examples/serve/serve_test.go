package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/examples/internal/program"
	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/data"
)

// a fresh server, its weights as they were drawn
func start(t *testing.T, machines int) (*server, *httptest.Server) {
	t.Helper()
	m, err := newModel(1)
	if err != nil {
		t.Fatal(err)
	}
	learner, err := m.learner()
	if err != nil {
		t.Fatal(err)
	}
	s, err := newServer(m, learner, machines)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.handler())
	t.Cleanup(h.Close)
	return s, h
}

func post(url string, body any) (status int, answer map[string]json.RawMessage, err error) {
	text, ok := body.(string)
	if !ok {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		text = string(b)
	}
	r, err := http.Post(url, "application/json", strings.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close()
	return r.StatusCode, answer, json.NewDecoder(r.Body).Decode(&answer)
}

func ask(url string, images [][]float32) (p []prediction, err error) {
	status, answer, err := post(url+"/predict", request{Images: images})
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("status %d: %s", status, answer["error"])
	}
	return p, json.Unmarshal(answer["predictions"], &p)
}

// images of the digits that come with Tapir
func images(t *testing.T) ([][]float32, []int64) {
	t.Helper()
	d, err := data.Digits(graph.Float32)
	if err != nil {
		t.Fatal(err)
	}
	all := make([][]float32, d.Len())
	for i := range all {
		all[i] = d.X.Float32s()[i*pixels : (i+1)*pixels]
	}
	return all, d.Y.Int64s()
}

// alone answers with one machine of its own that does one thing after the other.
type alone struct {
	mu sync.Mutex
	w  *worker
}

func newAlone(t *testing.T, seed uint64) *alone {
	t.Helper()
	m, err := newModel(seed)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPool(m, 1)
	if err != nil {
		t.Fatal(err)
	}
	w, err := p.take(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return &alone{w: w}
}

func (a *alone) answer(images [][]float32) ([]prediction, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.w.answer(context.Background(), images)
}

func same(a, b []prediction) bool {
	return slices.EqualFunc(a, b, func(a, b prediction) bool {
		return a.Digit == b.Digit && slices.Equal(a.Probabilities, b.Probabilities)
	})
}

// load asks from several clients at a time, batches of 1 to 64, until every client has asked often; check gets each answer.
func load(t *testing.T, url string, images [][]float32, clients, requests int, check func(from, to int, p []prediction) error) {
	t.Helper()
	var all sync.WaitGroup
	for c := range clients {
		all.Go(func() {
			rng := rand.New(rand.NewPCG(1, uint64(c)))
			for range requests {
				n := 1 + rng.IntN(batchLimit)
				from := rng.IntN(len(images) - n)
				p, err := ask(url, images[from:from+n])
				if err == nil && len(p) != n {
					err = fmt.Errorf("%d answers to %d images", len(p), n)
				}
				if err == nil {
					err = check(from, from+n, p)
				}
				if err != nil {
					t.Errorf("client %d: %v", c, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func TestAnswersUnderLoad(t *testing.T) {
	s, h := start(t, 3)
	images, _ := images(t)
	a := newAlone(t, 1)
	load(t, h.URL, images, 8, 40, func(from, to int, p []prediction) error {
		want, err := a.answer(images[from:to])
		if err == nil && !same(p, want) {
			err = fmt.Errorf("images %d to %d are answered otherwise than by a machine alone", from, to)
		}
		return err
	})
	if idle := len(s.pool.idle); idle != 3 {
		t.Errorf("%d of 3 machines came back", idle)
	}
	if p := s.model.answer; p.SharedMemory() == 0 {
		t.Error("the machines share nothing but the weights: their layout for products is made once for each")
	}
}

// Weights that are exchanged under load are the old ones or the new ones within an answer, never some of each.
func TestWeightsChangeAsAWhole(t *testing.T) {
	s, h := start(t, 3)
	images, _ := images(t)
	alone := [2]*alone{newAlone(t, 1), newAlone(t, 2)}
	var weights [2]map[string]any
	for i, a := range alone {
		weights[i] = map[string]any{}
		for name, v := range a.w.model.state.Snapshot() {
			weights[i][name] = v
		}
	}
	done, exchanged := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for ; ; n++ {
			select {
			case <-done:
				exchanged <- n
				return
			case <-time.After(100 * time.Microsecond):
				if err := s.model.state.SetAll(weights[(n+1)%2]); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	var mu sync.Mutex
	var seen [2]int
	load(t, h.URL, images, 6, 40, func(from, to int, p []prediction) error {
		for i, a := range alone {
			want, err := a.answer(images[from:to])
			if err != nil {
				return err
			}
			if same(p, want) {
				mu.Lock()
				seen[i]++
				mu.Unlock()
				return nil
			}
		}
		return fmt.Errorf("images %d to %d are answered by neither set of weights", from, to)
	})
	close(done)
	if n := <-exchanged; n < 20 || seen[0] == 0 || seen[1] == 0 {
		t.Errorf("%d exchanges; %d answers by the first weights, %d by the second", n, seen[0], seen[1])
	}
}

func TestLearnsWhileItAnswers(t *testing.T) {
	_, h := start(t, 2)
	images, digits := images(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for epoch := range 12 {
			for i := 0; i+32 <= 640; i += 32 {
				if status, answer, err := post(h.URL+"/learn", request{images[i : i+32], digits[i : i+32]}); err != nil || status != http.StatusOK {
					t.Errorf("epoch %d: %v %s %v", epoch, status, answer["error"], err)
					return
				}
			}
		}
	}()
	load(t, h.URL, images, 2, 40, func(int, int, []prediction) error { return nil })
	<-done
	right := 0
	for i := 0; i < 640; i += batchLimit {
		p, err := ask(h.URL, images[i:i+batchLimit])
		if err != nil {
			t.Fatal(err)
		}
		for j, p := range p {
			if int64(p.Digit) == digits[i+j] {
				right++
			}
		}
	}
	if right < 620 {
		t.Errorf("%d of 640 images that it learned are read right", right)
	}
}

func TestMistakes(t *testing.T) {
	_, h := start(t, 1)
	row := make([]float32, pixels)
	long := func(n int) [][]float32 { return slices.Repeat([][]float32{row}, n) }
	spoilt := slices.Clone(row)
	spoilt[5] = 17
	for _, c := range []struct {
		path   string
		body   any
		status int
		says   string
	}{
		{"/predict", "", 400, "EOF"},
		{"/predict", "{", 400, "want {"},
		{"/predict", `{"pictures": []}`, 400, "unknown field"},
		{"/predict", `{"images": [["a"]]}`, 400, "want {"},
		{"/predict", `{"images": []}`, 400, "0 images; want 1 to 64"},
		{"/predict", request{Images: long(65)}, 400, "65 images; want 1 to 64"},
		{"/predict", `{"images": [[1, 2]]}`, 400, "image 0 has 2 numbers; want 64"},
		{"/predict", request{Images: [][]float32{row, spoilt}}, 400, "number 5 of image 1 is 17; want 0 to 16"},
		{"/predict", `{"images": [[1e99]]}`, 400, "want {"},
		{"/predict", request{long(1), []int64{3}}, 400, "digits are for /learn"},
		{"/predict", `{"images": []} {}`, 400, "more behind"},
		{"/predict", strings.Repeat(" ", 2<<20), 400, "too large"},
		{"/learn", request{long(2), []int64{3}}, 400, "2 images but 1 digits"},
		{"/learn", request{long(1), []int64{10}}, 400, "10 is no digit"},
		{"/learn", request{long(1), []int64{-1}}, 400, "-1 is no digit"},
	} {
		status, answer, err := post(h.URL+c.path, c.body)
		if err != nil || status != c.status || !strings.Contains(string(answer["error"]), c.says) {
			t.Errorf("%s: %d %s %v; want %d %q", c.path, status, answer["error"], err, c.status, c.says)
		}
	}
	if _, err := ask(h.URL, long(64)); err != nil {
		t.Errorf("after the mistakes: %v", err)
	}
	if r, err := http.Get(h.URL + "/predict"); err != nil || r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET /predict: %v %v", r, err)
	}
}

func TestBusy(t *testing.T) {
	s, h := start(t, 1)
	s.patience = time.Millisecond
	w, _ := s.pool.take(context.Background())
	row := [][]float32{make([]float32, pixels)}
	if _, err := ask(h.URL, row); err == nil || !strings.Contains(err.Error(), "503") || !strings.Contains(err.Error(), "busy") {
		t.Errorf("%v", err)
	}
	s.pool.giveBack(w)
	s.patience = patience
	if _, err := ask(h.URL, row); err != nil {
		t.Error(err)
	}
}

// The whole program: it trains, says where it listens, answers, and ends by Ctrl-C.
func TestProgram(t *testing.T) {
	images, digits := images(t)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	asked := 0
	var trouble error
	p := newProgram(func(addr net.Addr) {
		go func() {
			defer stop()
			url := "http://" + addr.String()
			right := 0
			for ; asked < 1792 && trouble == nil; asked += batchLimit {
				var answers []prediction
				answers, trouble = ask(url, images[asked:asked+batchLimit])
				for i, a := range answers {
					if int64(a.Digit) == digits[asked+i] {
						right++
					}
				}
			}
			if trouble == nil && right < 1770 {
				trouble = fmt.Errorf("%d of 1792 images that it was trained with are read right", right)
			}
			if r, err := http.Get(url + "/"); trouble == nil && (err != nil || r.StatusCode != 200) {
				trouble = fmt.Errorf("the page: %v %v", r, err)
			}
		}()
	})
	var stdout, stderr bytes.Buffer
	if code := p.Command(ctx, []string{"-addr", "localhost:0", "-epochs", "20", "-machines", "2"}, &stdout, &stderr); code != program.Interrupted {
		t.Errorf("exit %d, %s", code, stderr.String())
	}
	if trouble != nil {
		t.Error(trouble)
	}
	for _, want := range []string{"2 machines answer at http://127.0.0.1:", "1792 images were read."} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("no %q in\n%s", want, stdout.String())
		}
	}
}

func TestAddressThatIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var stderr bytes.Buffer
	code := newProgram(func(net.Addr) {}).Command(context.Background(), []string{"-addr", l.Addr().String()}, io.Discard, &stderr)
	if code != program.Failed || !strings.Contains(stderr.String(), "address already in use") && !strings.Contains(stderr.String(), "Only one usage") {
		t.Errorf("exit %d, %s", code, stderr.String())
	}
}

func BenchmarkRequests(b *testing.B) {
	m, err := newModel(1)
	if err != nil {
		b.Fatal(err)
	}
	for _, machines := range []int{1, 2, 64} {
		p, err := newPool(m, machines)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("machines=%d", machines), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					w, _ := p.take(context.Background())
					if _, err := w.predict(context.Background(), 16); err != nil {
						b.Error(err)
					}
					p.giveBack(w)
				}
			})
		})
	}
}
