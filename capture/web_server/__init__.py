"""waitress, so that nobody who is slow, large or many holds others up, and no body is ever in a file (SECURITY 15, 21, 23).

One thread reads from all connections; what is whole goes to two pools of threads, to the one what a photo must be cleaned for,
all else to the other, so that pages and pieces of photos are answered while photos wait for a cleaner.
"""

from capture.web_server.bodies import Limits, Memory
from capture.web_server.parser import Parser
from capture.web_server.server import CONNECTIONS, Server

__all__ = ["CONNECTIONS", "Limits", "Memory", "Parser", "Server"]
