package tensorboard_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/losses"
	"github.com/tapir-ml/tapir/nn"
	"github.com/tapir-ml/tapir/nn/data"
	"github.com/tapir-ml/tapir/nn/optim"
	"github.com/tapir-ml/tapir/nn/train"
	"github.com/tapir-ml/tapir/nn/train/tensorboard"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"gorgonia.org/tensor"
)

// eventType is TensorFlow's Event, as far as scalars go, so that the protobuf library reads what was written by hand.
func eventType(t *testing.T) protoreflect.MessageDescriptor {
	t.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, of string, repeated bool) *descriptorpb.FieldDescriptorProto {
		label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		if repeated {
			label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
		}
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind, Label: &label}
		if of != "" {
			f.TypeName = &of
		}
		return f
	}
	message := func(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
	}
	const (
		double, float = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE, descriptorpb.FieldDescriptorProto_TYPE_FLOAT
		integer, text = descriptorpb.FieldDescriptorProto_TYPE_INT64, descriptorpb.FieldDescriptorProto_TYPE_STRING
		sub           = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("event.proto"), Package: proto.String("t"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			message("Event", field("wall_time", 1, double, "", false), field("step", 2, integer, "", false), field("file_version", 3, text, "", false),
				field("summary", 5, sub, ".t.Summary", false), field("session_log", 7, sub, ".t.SessionLog", false)),
			message("Summary", field("value", 1, sub, ".t.Value", true)),
			message("Value", field("tag", 1, text, "", false), field("simple_value", 2, float, "", false)),
			message("SessionLog", field("status", 1, descriptorpb.FieldDescriptorProto_TYPE_INT32, "", false)),
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return file.Messages().ByName("Event")
}

// crc32c is the checksum bit by bit, from its polynomial.
func crc32c(data []byte) uint32 {
	sum := ^uint32(0)
	for _, b := range data {
		sum ^= uint32(b)
		for range 8 {
			sum = sum>>1 ^ 0x82f63b78*(sum&1)
		}
	}
	return ^sum
}

func TestChecksumIsTheStandards(t *testing.T) {
	if got := crc32c([]byte("123456789")); got != 0xe3069283 { // the check value of CRC-32C
		t.Errorf("%x", got)
	}
}

// read lists the events of a file, by TFRecord's definition and the protobuf library.
func read(t *testing.T, path string) (lines []string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	unmask := func(b []byte) uint32 {
		turned := binary.LittleEndian.Uint32(b) - 0xa282ead8
		return turned>>17 | turned<<15
	}
	kind := eventType(t)
	for len(raw) > 0 {
		n := binary.LittleEndian.Uint64(raw)
		if unmask(raw[8:]) != crc32c(raw[:8]) || unmask(raw[12+n:]) != crc32c(raw[12:12+n]) {
			t.Fatalf("a checksum is wrong in %q", raw)
		}
		e := dynamicpb.NewMessage(kind)
		if err := (proto.UnmarshalOptions{}).Unmarshal(raw[12:12+n], e); err != nil || len(e.GetUnknown()) > 0 {
			t.Fatal(err, e)
		}
		raw = raw[16+n:]
		get := func(m protoreflect.Message, name string) protoreflect.Value {
			return m.Get(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
		}
		if age := time.Since(time.Unix(0, int64(1e9*get(e, "wall_time").Float()))); age < -time.Minute || age > time.Hour {
			t.Errorf("an event of %v ago", age)
		}
		line := fmt.Sprintf("%d %s", get(e, "step").Int(), get(e, "file_version"))
		if log := get(e, "session_log").Message(); log.IsValid() {
			line += fmt.Sprintf("status %d", get(log, "status").Int())
		}
		if summary := get(e, "summary").Message(); summary.IsValid() {
			values := get(summary, "value").List()
			for i := range values.Len() {
				v := values.Get(i).Message()
				line += fmt.Sprintf("%s=%v ", get(v, "tag"), get(v, "simple_value"))
			}
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "events.out.tfevents.*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestEvents(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "1")
	for range 2 { // a second file does not touch the first
		w, err := tensorboard.Create(dir)
		if err != nil {
			t.Fatal(err)
		}
		w.Step(train.Step{Epoch: 3, Batch: 1, Step: 300, Loss: 0.5, Rate: 0.001})
		w.Step(train.Step{Epoch: 3, Batch: 2, Step: 301, Loss: math.Inf(1), Rate: math.NaN()})
		w.Epoch(train.Epoch{Epoch: 3, Steps: 301, Train: train.Measures{"loss": 0.25, "accuracy": 1}, Validation: train.Measures{"loss": 0.75}})
		w.Scalars(1<<40, map[string]float64{"norm": -2})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		w.Scalars(1, nil)
		if err := w.Close(); err == nil {
			t.Error("wrote to a closed file")
		}
	}
	want := []string{
		"0 brain.Event:2",
		"300 status 1",
		"300 step/loss=0.5 step/rate=0.001",
		"301 step/loss=+Inf",
		"301 accuracy/train=1 loss/train=0.25 loss/validation=0.75",
		"1099511627776 norm=-2",
	}
	found := files(t, dir)
	if len(found) != 2 {
		t.Errorf("files %v", found)
	}
	for _, path := range found {
		if got := read(t, path); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	if _, err := tensorboard.Create(filepath.Join(found[0], "below")); err == nil {
		t.Error("made a folder below a file")
	}
}

// The writer's methods are what Fit calls.
func TestOfATraining(t *testing.T) {
	g, batch := graph.New(), graph.Symbol("batch")
	x := g.Input("x", graph.Float32, batch, 1)
	y := g.Input("y", graph.Float32, batch, 1)
	out := nn.Build(g, &nn.Linear{Out: 1}, x)
	trainer, err := train.New(train.Task{X: x, Y: y, Output: out, Loss: losses.MSE(out, y), Optimizer: optim.SGD{LR: 0.125}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	column := func() *tensor.Dense {
		return tensor.New(tensor.WithShape(4, 1), tensor.WithBacking([]float32{1, 2, 3, 4}))
	}
	batches, err := data.NewBatches(&data.Set{X: column(), Y: column()}, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	events, err := tensorboard.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	result, err := trainer.Fit(context.Background(), batches, train.Options{Epochs: 2, OnEpoch: events.Epoch, OnStep: events.Step})
	if err != nil {
		t.Fatal(err)
	}
	if err := events.Close(); err != nil {
		t.Fatal(err)
	}
	lines := read(t, files(t, dir)[0])
	last := fmt.Sprintf("4 loss/train=%v", float32(result.History.Epochs[1].Train["loss"]))
	if len(lines) != 2+4+2 || lines[len(lines)-1] != last || !strings.HasSuffix(lines[2], "step/rate=0.125") {
		t.Errorf("want %s last in\n%s", last, strings.Join(lines, "\n"))
	}
}
