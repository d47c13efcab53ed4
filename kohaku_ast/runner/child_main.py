# What a spawned child of a script runs as __mp_main__: the script, with its parent's overrides.
# No docstring and no name that stays: this module's namespace becomes the script's.
import kohaku_ast.runner.children

kohaku_ast.runner.children.become_child((lambda: (globals().pop("kohaku_ast"), globals())[1])())
