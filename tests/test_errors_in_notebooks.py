"""What a notebook shows of an error that the user can mend: its sentence, not our code."""

from IPython.core.interactiveshell import InteractiveShell


def test_a_table_error_is_its_sentence(capsys):
    shell = InteractiveShell()
    shell.run_cell("from kpi import MissingTableError\nraise MissingTableError('give deals.csv')")
    said = capsys.readouterr().out
    assert said.strip() == "MissingTableError: give deals.csv"
