// Package tensorboard writes what a training measures as event files, which TensorBoard shows while the training runs:
//
//	events, err := tensorboard.Create("runs/1")
//	defer events.Close()
//	result, err := t.Fit(ctx, batches, train.Options{Epochs: 60, OnEpoch: events.Epoch, OnStep: events.Step})
//
// and then, in a shell, tensorboard --logdir runs.
package tensorboard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/tapir-ml/tapir/graph"
	"github.com/tapir-ml/tapir/nn/train"
	"google.golang.org/protobuf/encoding/protowire"
)

// Writer writes one event file. One goroutine at a time uses it. The first error stays, and Close returns it.
type Writer struct {
	file  *os.File
	err   error
	began bool // an event with a step was written
}

// Create makes the folder, if needed, and a new event file in it. A run that is resumed gets a further file in the same folder;
// what was recorded at later steps than it begins with is then no longer shown.
func Create(dir string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	for n := 0; ; n++ { // names sort by time
		name := fmt.Sprintf("events.out.tfevents.%010d.%s.%d.%d", time.Now().Unix(), host, os.Getpid(), n)
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if errors.Is(err, os.ErrExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		w := &Writer{file: f}
		w.event(0, protowire.AppendString(protowire.AppendTag(nil, eventVersion, protowire.BytesType), "brain.Event:2"))
		return w, w.err
	}
}

// Epoch records an epoch's measures: loss/train, loss/validation and so on. It is a train.Options.OnEpoch.
func (w *Writer) Epoch(e train.Epoch) {
	values := map[string]float64{}
	for name, v := range e.Train {
		values[name+"/train"] = v
	}
	for name, v := range e.Validation {
		values[name+"/validation"] = v
	}
	w.Scalars(e.Steps, values)
}

// Step records a step's loss and learning rate: step/loss and step/rate. It is a train.Options.OnStep.
func (w *Writer) Step(s train.Step) {
	values := map[string]float64{"step/loss": s.Loss}
	if !math.IsNaN(s.Rate) {
		values["step/rate"] = s.Rate
	}
	w.Scalars(s.Step, values)
}

// Scalars records numbers by their tags, in float32, as the format has them. Steps do not go back.
func (w *Writer) Scalars(step int, values map[string]float64) {
	if !w.began {
		w.began = true
		start := protowire.AppendVarint(protowire.AppendTag(nil, logStatus, protowire.VarintType), statusStart)
		w.event(step, protowire.AppendBytes(protowire.AppendTag(nil, eventLog, protowire.BytesType), start))
	}
	tags := make([]string, 0, len(values))
	for tag := range values {
		tags = append(tags, tag)
	}
	sort.Strings(tags)
	var summary []byte
	for _, tag := range tags {
		value := protowire.AppendString(protowire.AppendTag(nil, valueTag, protowire.BytesType), tag)
		value = protowire.AppendFixed32(protowire.AppendTag(value, valueSimple, protowire.Fixed32Type), math.Float32bits(float32(values[tag])))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, summaryValue, protowire.BytesType), value)
	}
	w.event(step, protowire.AppendBytes(protowire.AppendTag(nil, eventSummary, protowire.BytesType), summary))
}

// Close closes the file and returns the first error there was.
func (w *Writer) Close() error {
	err := errors.Join(w.err, w.file.Close())
	w.err = graph.Errorf(graph.ErrValue, "the event file is closed")
	return err
}

// The numbers of the fields, from TensorFlow's event.proto and summary.proto.
const (
	eventTime    = 1 // double, seconds since 1970
	eventStep    = 2 // int64
	eventVersion = 3 // string
	eventSummary = 5 // Summary
	eventLog     = 7 // SessionLog
	logStatus    = 1 // enum
	statusStart  = 1 // readers forget what other files have from this step on
	summaryValue = 1 // repeated Value
	valueTag     = 1 // string
	valueSimple  = 2 // float
)

// event writes an Event with a time, a step, and the field what.
func (w *Writer) event(step int, what []byte) {
	if w.err != nil {
		return
	}
	now := float64(time.Now().UnixNano()) / 1e9
	e := protowire.AppendFixed64(protowire.AppendTag(nil, eventTime, protowire.Fixed64Type), math.Float64bits(now))
	e = protowire.AppendVarint(protowire.AppendTag(e, eventStep, protowire.VarintType), uint64(step))
	_, w.err = w.file.Write(record(append(e, what...))) // whole, so that a reader need not wait for the rest
}

// record frames data as TFRecord does: length, its checksum, data, their checksum; little-endian.
func record(data []byte) []byte {
	r := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	r = binary.LittleEndian.AppendUint32(r, masked(r))
	r = append(r, data...)
	return binary.LittleEndian.AppendUint32(r, masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked is the CRC-32C, turned and shifted, so that checksums of what holds checksums are sound.
func masked(data []byte) uint32 {
	sum := crc32.Checksum(data, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}
