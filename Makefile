# What CI runs, a target at a time: .ci/run calls these same targets.

GO ?= go

# Newest release that runs under the Go in use here. Kept out of go.mod: its modules must not reach those who import Tapir.
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

# The oldest release that the suite passes with: the go directive of go.mod.
OLDEST := go$(shell sed -n 's/^go //p' go.mod)

# Modules of their own, whose dependencies never reach go.sum: the assembly generator and the race against peers.
NESTED := $(shell for dir in internal/kernel/asm bench; do find $$dir -name '*.go' 2>&1 | grep -q '[.]go$$' && echo $$dir; done)

# Runs arm64 programs on another processor; empty where there is no qemu-user, or where this is an arm64 already.
QEMU_ARM64 ?= $(if $(filter arm64,$(shell $(GO) env GOHOSTARCH)),,$(shell command -v qemu-aarch64 || command -v qemu-aarch64-static))

# Tests that take minutes when emulated; TestGemmBrief samples what the first four cover. SLOW_ARM64='^$$' leaves none out.
SLOW_ARM64 ?= GemmForms|FuzzGemm|GemmPartsAreTheWhole|GemmAllocatesNothing|AccuracyFloat64

.PHONY: check fmt tidy vet vet-elsewhere lint build test test-oldest test-arm64 check-long race portable gen docs nested bench lines

## check: what to run before a commit
check: fmt vet lint test

## fmt: name the files that gofmt would change
fmt:
	@out=$$(gofmt -l .) && if [ -n "$$out" ]; then echo "not formatted (gofmt -w them):"; echo "$$out"; exit 1; fi

## tidy: go.mod and go.sum list what is imported, no more
tidy:
	$(GO) mod tidy -diff

vet:
	$(GO) vet ./...

## vet-elsewhere: the files of the processors and systems that this machine is not
vet-elsewhere:
	GOARCH=arm64 $(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 $(GO) vet ./...

lint:
	$(GO) run $(STATICCHECK) ./...

## build: without a C compiler
build:
	CGO_ENABLED=0 $(GO) build ./...

test:
	$(GO) test ./...

## test-oldest: the suite under the oldest Go that go.mod promises
test-oldest:
	GOTOOLCHAIN=$(OLDEST) $(GO) test ./...

## test-arm64: both sets of kernels on arm64, emulated by qemu-user (Debian's qemu-user), and the packages that call them
test-arm64:
	@if [ -z "$(QEMU_ARM64)" ] && [ "$$($(GO) env GOHOSTARCH)" != arm64 ]; then \
		echo "skipped: no qemu-aarch64 here to run arm64 programs with (apt-get install qemu-user)"; \
	else \
		set -ex; export GOARCH=arm64; exec="$(if $(QEMU_ARM64),-exec $(QEMU_ARM64))"; \
		$(GO) test $$exec -short -skip '$(SLOW_ARM64)' ./internal/kernel ./graph ./ops; \
		$(GO) test $$exec -short -tags noasm -run 'GemmSpecial|Smoke' ./internal/kernel; \
		TAPIR_KERNEL=portable $(GO) test $$exec -short -count=1 -run 'GemmSpecial|Smoke' ./internal/kernel; \
	fi

## check-long: check, with the long sweeps
check-long: check
	$(GO) test -tags long -timeout 60m ./...

## race: the packages that start goroutines or share memory between them
race:
	$(GO) test -race -short ./graph/... ./vm/... ./internal/parallel/... ./nn/data/... ./examples/serve

## portable: the kernels without assembly, chosen at run time and at build time
# -count=1: the choice is made before a test starts, where the go command does not see it and would reuse a result.
portable:
	TAPIR_KERNEL=portable $(GO) test -count=1 ./internal/kernel/... ./vm/...
	$(GO) test -tags noasm -count=1 ./internal/kernel/... ./vm/...

## gen: write all generated files again
gen:
	$(GO) generate ./...
	@set -e; for dir in $(NESTED); do echo "$$dir: $(GO) generate ./..."; (cd $$dir && $(GO) generate ./...); done

## docs: write docs/operators.md and its pictures from the doc comments, definitions and curves of package ops
docs:
	$(GO) generate ./docs/...

## nested: the modules beside this one pass vet
nested:
	@set -e; for dir in $(NESTED); do echo "$$dir: $(GO) vet ./..."; (cd $$dir && $(GO) vet ./...); done

## bench: the affine kernel beside other libraries (see docs/benchmarks.md), then every Go benchmark
bench:
	cd bench && $(GO) run ./cmd/affine -shapes shapes/standard.txt -out affine.jsonl
	$(GO) test -run '^$$' -bench . -benchmem ./...

## lines: how long the heart of the framework is, without tests and assembly
lines:
	@for dir in graph ops autodiff vm; do \
		n=$$(find $$dir -name '*.go' ! -name '*_test.go' -exec cat {} + | wc -l); \
		printf '%-10s %6d\n' $$dir $$n; total=$$((total + n)); \
	done; printf '%-10s %6d of about 12000\n' together $$total
