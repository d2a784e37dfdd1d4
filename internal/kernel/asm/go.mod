module github.com/tapir-ml/tapir/internal/kernel/asm

go 1.25.0
