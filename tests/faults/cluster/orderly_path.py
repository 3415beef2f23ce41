"""Puts tests/support, where orderly.py is, on the path: imported before anything that needs it."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'support'))
