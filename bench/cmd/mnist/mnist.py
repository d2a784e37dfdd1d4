# The network, the batches and the optimiser of main.go in PyTorch. For each line of input it trains one epoch, and answers with
# the seconds that took and the mean loss.
import sys, time
import numpy, torch
from torch import nn

folder, rows, columns, classes, hidden, batch, threads, foreach = sys.argv[1:2] + [int(v) for v in sys.argv[2:]]
torch.set_num_threads(threads)
x = torch.from_numpy(numpy.fromfile(folder + "/x", numpy.float32).reshape(rows, columns))
y = torch.from_numpy(numpy.fromfile(folder + "/y", numpy.int64))
model = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, classes))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=bool(foreach))
print("torch", torch.__version__, flush=True)
for _ in sys.stdin:
    began, total = time.perf_counter(), 0.0
    order = torch.randperm(rows)
    for i in range(0, rows, batch):
        take = order[i:i + batch]
        optimizer.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(model(x.index_select(0, take)), y.index_select(0, take))
        loss.backward()
        optimizer.step()
        total += loss.item() * len(take)
    print(time.perf_counter() - began, total / rows, flush=True)
