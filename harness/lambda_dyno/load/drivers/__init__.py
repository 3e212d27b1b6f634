"""The load drivers, and the one that is used.

Another one is a module here, with the functions of `load.driver.LoadDriver`, and its name below.
"""

from lambda_dyno.load.driver import LoadDriver
from lambda_dyno.load.drivers import newman

DRIVER: LoadDriver = newman
