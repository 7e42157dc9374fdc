"""TFLite: conversion of frozen graphs."""
