"""Good clients among all kinds of bad luck.

Clients that leave, stall, dawdle and send broken images, and an engine that raises now and then,
run beside good clients whose every answer is checked. In the end the service's own counts must
agree with the clients', nothing may be left over, and the service must be ready.
"""
