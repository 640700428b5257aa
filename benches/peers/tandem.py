"""The tandem queue on SimPy: three stations of eight servers, exponential times of
mean 1, load 0.8. Prints nanoseconds for each of a customer's four events."""

import random
import sys
import time

import simpy

CUSTOMERS = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
STATIONS, SERVERS, LOAD = 3, 8, 0.8


def customer(env, stations, times):
    born = env.now
    for station in stations:
        with station.request() as request:
            yield request
            yield env.timeout(random.expovariate(1.0))
    times.append(env.now - born)


def arrivals(env, stations, times):
    for _ in range(CUSTOMERS):
        yield env.timeout(random.expovariate(LOAD * SERVERS))
        env.process(customer(env, stations, times))


random.seed(1)
env = simpy.Environment()
stations = [simpy.Resource(env, SERVERS) for _ in range(STATIONS)]
times = []
env.process(arrivals(env, stations, times))
begun = time.perf_counter()
env.run()
took = time.perf_counter() - begun
print(
    f"SimPy: {CUSTOMERS} customers, {took * 1e9 / (4 * CUSTOMERS):.1f} ns an event, "
    f"mean time in the system {sum(times) / len(times):.3f} (theory 3.858)"
)
