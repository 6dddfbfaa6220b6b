"""What endpoints are handed, named as types.

They are coroutines: plain functions would each be run in a thread, which costs more than they do.
"""

from __future__ import annotations

from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from forecast.settings import Settings
from serving.desk import Desk
from serving.loader import Champion, Served
from serving.service import Service


async def _settings(request: Request) -> Settings:
    return cast(Settings, request.app.state.settings)


async def _champion(request: Request) -> Champion:
    return cast(Champion, request.app.state.champion)


async def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


async def _served(request: Request) -> Served:
    return (await _champion(request)).now()


async def _desk(request: Request) -> Desk:
    return cast(Desk, request.app.state.desk)


SettingsNow = Annotated[Settings, Depends(_settings)]
ChampionNow = Annotated[Champion, Depends(_champion)]
ServedNow = Annotated[Served, Depends(_served)]
ServiceNow = Annotated[Service, Depends(_service)]
DeskNow = Annotated[Desk, Depends(_desk)]
