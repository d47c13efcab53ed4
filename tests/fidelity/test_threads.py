"""Threads, contexts and event loops."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fidelity.probes import Probe, assert_like_python, probes

THREADS = [
    Probe("joined at exit", """
        import threading, time
        def work():
            time.sleep(0.05)
            print("thread", unrelated, __name__)
        threading.Thread(target=work).start()
        print("main is done")
        """),
    Probe("joined after an exception", """
        import threading, time
        def work():
            time.sleep(0.05)
            print("thread")
        threading.Thread(target=work).start()
        1 / 0
        """),
    Probe("joined after an exit", """
        import sys, threading, time
        def work():
            time.sleep(0.05)
            print("thread", threading.main_thread().is_alive())
        threading.Thread(target=work).start()
        sys.exit(3)
        """),
    Probe("joined before exit functions", """
        import atexit, threading, time
        atexit.register(print, "exit function")
        def work():
            time.sleep(0.05)
            print("thread")
        threading.Thread(target=work).start()
        """),
    Probe("a daemon is left", """
        import threading, time
        def work():
            print("daemon", flush=True)
            time.sleep(60)
            print("not here")
        threading.Thread(target=work, daemon=True).start()
        time.sleep(0.05)
        """),
    Probe("an exception in a thread", """
        import threading
        def work():
            1 / 0
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
        print("end")
        """),
    Probe("an exit in a thread", """
        import sys, threading
        thread = threading.Thread(target=sys.exit, args=(3,))
        thread.start()
        thread.join()
        print("end")
        """),
    Probe("threading excepthook", """
        import threading
        threading.excepthook = lambda args: print(args.exc_type, args.thread.name)
        def work():
            1 / 0
        threading.Thread(target=work, name="worker").start()
        """),
    Probe("threading excepthook that raises", """
        import threading
        def hook(args):
            raise ValueError("broken")
        threading.excepthook = hook
        thread = threading.Thread(target=lambda: 1 / 0, name="worker")
        thread.start()
        thread.join()
        """),
    Probe("sys excepthook is not for threads", """
        import sys, threading
        sys.excepthook = lambda *_: print("hook")
        threading.Thread(target=lambda: 1 / 0, name="worker").start()
        """),
    Probe("the main thread", """
        import threading
        main = threading.main_thread()
        print(main.name, main is threading.current_thread(), main.ident == threading.get_ident())
        print(threading.active_count(), threading.stack_size(), threading.gettrace())
        """),
    Probe("thread interrupts main", """
        import _thread, threading, time
        threading.Thread(target=_thread.interrupt_main).start()
        time.sleep(5)
        """),
    Probe("a thread prints its stack", """
        import threading, traceback
        def work():
            traceback.print_stack(limit=-1)
        threading.Thread(target=work).start()
        """),
    Probe("frames of all threads", """
        import sys, threading
        ready, done = threading.Event(), threading.Event()
        def work():
            ready.set()
            done.wait()
        threading.Thread(target=work).start()
        ready.wait()
        print(sorted(frame.f_code.co_name for frame in sys._current_frames().values()))
        done.set()
        """),
    Probe("thread locals", """
        import threading
        local = threading.local()
        local.x = 1
        threading.Thread(target=lambda: print(hasattr(local, "x"))).start()
        """),
    Probe("pool of threads", """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(2) as pool:
            print(list(pool.map(lambda x: x + unrelated, range(4))))
            print(repr(pool.submit(lambda: 1 / 0).exception()))
        """),
    Probe("pool of threads left open", """
        import threading
        from concurrent.futures import ThreadPoolExecutor
        pool, printed = ThreadPoolExecutor(1), threading.Event()
        pool.submit(lambda: (printed.wait(), print("worked")))
        print("end")
        printed.set()
        """),
    Probe("timer", "import threading\nthreading.Timer(0.02, print, ['timer']).start()"),
    Probe("thread started at exit", """
        import atexit, threading
        def late():
            thread = threading.Thread(target=print, args=("late",))
            thread.start()
            thread.join()
        atexit.register(late)
        """) if sys.version_info < (3, 12) else Probe("no thread may start at exit", ""),
    Probe("context variables", """
        import contextvars
        x = contextvars.ContextVar("x", default=0)
        print(list(contextvars.copy_context()), x.get())
        x.set(1)
        print(contextvars.copy_context().run(x.get))
        """),
    Probe("threads and a fork", """
        import os, threading
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
        if os.fork() == 0:
            print("child", threading.active_count(), flush=True)
            os._exit(0)
        os.wait()
        print("parent")
        """, flags=["-W", "ignore"]),
]  # fmt: skip

LOOPS = [
    Probe("asyncio run", """
        import asyncio
        async def main():
            await asyncio.sleep(0.01)
            return unrelated
        print(asyncio.run(main()))
        """),
    Probe("asyncio exit", "import asyncio, sys\nasync def main():\n    sys.exit(5)\nasyncio.run(main())"),
    Probe("asyncio in debug mode", """
        import asyncio
        async def main():
            print(asyncio.get_running_loop().get_debug())
        asyncio.run(main(), debug=True)
        """),
    Probe("asyncio with threads", """
        import asyncio
        async def main():
            print(await asyncio.to_thread(lambda: unrelated))
        asyncio.run(main())
        """),
    Probe("asyncio child process", """
        import asyncio
        async def main():
            child = await asyncio.create_subprocess_exec("echo", "hello")
            print(await child.wait())
        asyncio.run(main())
        """),
    Probe("asyncio handles signals", """
        import asyncio, os, signal
        async def main():
            done = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
            os.kill(os.getpid(), signal.SIGTERM)
            await done.wait()
            print("handled")
        asyncio.run(main())
        """),
    Probe("no loop runs", "import asyncio\nasyncio.get_running_loop()"),
    Probe("loop left open", "import asyncio\nloop = asyncio.new_event_loop()\nprint(loop.is_running())", flags=["-W", "ignore"]),
    Probe("asynchronous generator left open", """
        import asyncio
        async def numbers():
            try:
                yield 1
            finally:
                print("closed")
        async def main():
            async for x in numbers():
                break
            print("after")
        asyncio.run(main())
        """),
]  # fmt: skip


@probes(*THREADS)
def test_threads(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)


@probes(*LOOPS)
def test_event_loops(probe: Probe, tmp_path: Path) -> None:
    assert_like_python(probe, tmp_path)
