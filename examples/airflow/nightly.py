"""An Airflow DAG: each day's slice is scored once the day is over, and again when it is cleared.

Needs Airflow 2.9 or newer with apache-airflow-providers-standard, and sqlscore with the job file
on the workers. A retry goes on where the last try stopped.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG(
    "sqlscore_nightly",
    schedule="@daily",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,  # one run at a time writes a target; a second would end with 5
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):
    BashOperator(
        task_id="score_the_day",
        # 6: done, with rows in quarantine
        bash_command="sqlscore job run day --param day={{ ds }} --log json || [ $? -eq 6 ]",
        cwd="/etc/sqlscore",
        append_env=True,
        env={"SHOP_DB": "{{ conn.shop.get_uri() }}"},
    )
