"""The stages: conversion, leakage, transitions, outlook, and where deals are lost beyond chance."""
